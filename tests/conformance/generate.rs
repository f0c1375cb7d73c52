//! Makes the conformance vectors from random networks. Nothing here is fitted; the pictures are
//! noise with structure.

mod blocks;
mod core;
mod example;
mod faulty;
mod nets;
mod pyramids;
mod uncommon;

pub use example::example;

pub struct Vector {
    pub folder: &'static str,
    pub name: &'static str,
    /// What it tests, and how a decoder that did not think of it breaks.
    pub what: &'static str,
    pub bytes: Vec<u8>,
    /// Exit code and part of the message.
    pub error: Option<(u8, &'static str)>,
}

impl Vector {
    pub fn valid(
        folder: &'static str,
        name: &'static str,
        what: &'static str,
        bytes: Vec<u8>,
    ) -> Self {
        Vector {
            folder,
            name,
            what,
            bytes,
            error: None,
        }
    }
}

pub fn introduction(folder: &str) -> &'static str {
    match folder {
        "core" => {
            "# Core\n\nFiles with what every encoder writes. A decoder that fails here decodes nothing. MD5s are in `../md5.txt`.\n\n\
             | file | tests, and how a naive decoder breaks |\n|---|---|"
        }
        "uncommon" => {
            "# Uncommon\n\nValid files that a fitted network rarely gives. MD5s are in `../md5.txt`.\n\n\
             | file | tests, and how a naive decoder breaks |\n|---|---|"
        }
        _ => {
            "# Faulty\n\nInvalid files, files of the future, and files beyond the default limits of `nvc-decode` (their names start with\n\
             `over-large`: a decoder with greater limits may go on, and then finds other faults or none). All CRCs are right unless\n\
             the name says otherwise, so that parsers are tested, not checksums. A decoder must refuse each with an error and without\n\
             a crash, a hang or a large allocation. `errors.txt` has the exit code of `nvc-decode` and a part of its message.\n\n\
             | file | the fault, and how a naive decoder breaks |\n|---|---|"
        }
    }
}

pub fn vectors() -> Vec<Vector> {
    [core::core(), uncommon::uncommon(), faulty::faulty()]
        .into_iter()
        .flatten()
        .collect()
}
