//! install.sh on made-up server folders, see `tests/`.
#![forbid(unsafe_code)]
