//! Names of numbered files: `f_%05d.png`, `f%d.png`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use nvc::error::{Error, Result};

/// Largest number of a picture; beyond, counting on would overflow.
const MOST_NUMBER: u64 = u64::MAX >> 1;

/// A file name with one frame number in it. The folder before it is taken as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    folder: PathBuf,
    prefix: OsString,
    digits: usize,
    suffix: OsString,
}

impl Pattern {
    /// Finds the frame number in the name of `path`; `None` if there is none or more than one.
    pub fn parse(path: impl AsRef<Path>) -> Option<Self> {
        let path = path.as_ref();
        let name = bytes(path.file_name()?)?;
        let percent = name.iter().position(|&b| b == b'%')?;
        let d = percent + name[percent..].iter().position(|&b| b == b'd')?;
        let (number, suffix) = (
            std::str::from_utf8(&name[percent + 1..d]).ok()?,
            &name[d + 1..],
        );
        let digits = if number.is_empty() {
            0
        } else {
            number
                .strip_prefix('0')?
                .parse()
                .ok()
                .filter(|&n| n <= 18)?
        };
        if !number.bytes().all(|b| b.is_ascii_digit()) || suffix.contains(&b'%') {
            return None;
        }
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Some(Pattern {
            folder,
            prefix: os(&name[..percent])?,
            digits,
            suffix: os(suffix)?,
        })
    }

    /// The name of picture `n`.
    pub fn path(&self, n: u64) -> PathBuf {
        let mut name = self.prefix.clone();
        name.push(format!("{n:0digits$}", digits = self.digits));
        name.push(&self.suffix);
        self.folder.join(name)
    }

    /// The folder of the pictures.
    pub fn folder(&self) -> &Path {
        if self.folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &self.folder
        }
    }

    /// The number in a file's name, if the name is one of these.
    pub fn number(&self, name: &OsStr) -> Option<u64> {
        let number = bytes(name)?
            .strip_prefix(bytes(&self.prefix)?)?
            .strip_suffix(bytes(&self.suffix)?)?;
        let canonical =
            number.len() == self.digits.max(1) || (number.len() > self.digits && number[0] != b'0');
        if !canonical || !number.iter().all(u8::is_ascii_digit) {
            return None;
        }
        std::str::from_utf8(number)
            .ok()?
            .parse()
            .ok()
            .filter(|&n| n <= MOST_NUMBER)
    }

    /// Whether both may give the same name in one folder.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.prefix == other.prefix && self.suffix == other.suffix
    }

    /// Numbers of the files that are there, in order.
    pub fn numbers(&self) -> Result<Vec<u64>> {
        let error = |e| Error::io(format!("reading the folder {}", self.folder().display()), e);
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(self.folder()).map_err(error)? {
            numbers.extend(self.number(&entry.map_err(error)?.file_name()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

#[cfg(unix)]
fn bytes(name: &OsStr) -> Option<&[u8]> {
    use std::os::unix::ffi::OsStrExt;
    Some(name.as_bytes())
}

#[cfg(unix)]
fn os(name: &[u8]) -> Option<OsString> {
    use std::os::unix::ffi::OsStrExt;
    Some(OsStr::from_bytes(name).to_os_string())
}

#[cfg(not(unix))]
fn bytes(name: &OsStr) -> Option<&[u8]> {
    name.to_str().map(str::as_bytes)
}

#[cfg(not(unix))]
fn os(name: &[u8]) -> Option<OsString> {
    std::str::from_utf8(name).ok().map(OsString::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let p = Pattern::parse("d/f_%05d.png").unwrap();
        assert_eq!(p.path(7), Path::new("d/f_00007.png"));
        assert_eq!(
            Pattern::parse("%d.jpg").unwrap().path(12),
            Path::new("12.jpg")
        );
        for no in [
            "a.png",
            "100%.png",
            "a%5d.png",
            "a%0xd.png",
            "a%03d%03d.png",
            "a%099d.png",
            "100% of it.y4m",
        ] {
            assert_eq!(Pattern::parse(no), None, "{no}");
        }
    }

    #[test]
    fn names_give_their_numbers() {
        let number =
            |pattern: &str, name: &str| Pattern::parse(pattern).unwrap().number(OsStr::new(name));
        for (name, n) in [
            ("f_007.png", Some(7)),
            ("f_1234.png", Some(1234)),
            ("f_000.png", Some(0)),
            ("f_7.png", None),
        ] {
            assert_eq!(number("f_%03d.png", name), n, "{name}");
        }
        for no in [
            "f_0123.png",
            "f_.png",
            "f_12a.png",
            "g_012.png",
            "f_012.jpg",
            "f_+12.png",
            "f_99999999999999999999.png",
            "f_18446744073709551615.png",
        ] {
            assert_eq!(number("f_%03d.png", no), None, "{no}");
        }
        assert_eq!(
            (number("%d", "0"), number("%d", "10"), number("%d", "010")),
            (Some(0), Some(10), None)
        );
    }

    #[test]
    fn files_of_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["f10.png", "f2.png", "f1.jpg", "f.png"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let p = Pattern::parse(dir.path().join("f%d.png")).unwrap();
        assert_eq!(p.numbers().unwrap(), [2, 10]);
    }
}
