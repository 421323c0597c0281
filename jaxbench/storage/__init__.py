"""How bytes land: whole files, Parquet with checksums, and what to say of damaged ones."""
