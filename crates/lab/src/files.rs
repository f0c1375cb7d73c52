//! Files: their names, written whole or not at all, and their digests.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use nvc::error::{Error, Result};
use nvc_media::{Output, hex};

const CHUNK: usize = 1 << 18;

/// `path` with something after its whole name.
pub fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// `text` with `other` in place of all but ASCII letters, digits and the characters of `keep`.
pub fn plain(text: &str, keep: &str, other: char) -> String {
    let known = |c: char| c.is_ascii_alphanumeric() || keep.contains(c);
    text.chars()
        .map(|c| if known(c) { c } else { other })
        .collect()
}

/// The name, for what takes names as text; [`Error::Parameter`] where it is none.
pub fn utf8(path: &Path) -> Result<&str> {
    path.to_str()
        .ok_or_else(|| Error::Parameter(format!("{} is not a name in UTF-8", path.display())))
}

/// Writes a file that appears under its name only when it is complete.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut out = Output::create(path)?;
    out.write_all(bytes).map_err(|e| out.error(e))?;
    out.commit()
}

/// Makes a folder and those above it.
pub fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|e| Error::io(format!("creating {}", path.display()), e))
}

/// Gives a finished file its name.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|e| {
        Error::io(
            format!("renaming {} to {}", from.display(), to.display()),
            e,
        )
    })
}

/// Hands `reader`'s bytes to `take` piece by piece; their number.
fn pieces(reader: &mut dyn Read, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<u64> {
    let mut buffer = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(n) => {
                bytes += n as u64;
                take(&buffer[..n])?;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// SHA-256 of a file, in lower-case hexadecimal.
pub fn sha256_file(path: &Path) -> Result<String> {
    let error = |e| Error::io(format!("reading {}", path.display()), e);
    let mut digest = Sha256::new();
    let mut file = File::open(path).map_err(error)?;
    pieces(&mut file, |piece| {
        digest.update(piece);
        Ok(())
    })
    .map_err(error)?;
    Ok(hex(&digest.finalize()))
}

/// MD5 of a file, in lower-case hexadecimal.
pub fn md5_file(path: &Path) -> Result<String> {
    use md5::Digest;
    let error = |e| Error::io(format!("reading {}", path.display()), e);
    let mut digest = md5::Md5::new();
    let mut file = File::open(path).map_err(error)?;
    pieces(&mut file, |piece| {
        digest.update(piece);
        Ok(())
    })
    .map_err(error)?;
    Ok(hex(&digest.finalize()))
}

/// Why [`store`] stopped.
pub enum Stopped {
    /// The source failed: a damaged archive, a file that cannot be read.
    Reading(io::Error),
    /// The file could not be written.
    Writing(io::Error),
    /// There are more bytes than allowed.
    TooLong,
}

/// Writes what `reader` gives, at most `limit` bytes, to a new file at `path`; SHA-256 and length.
pub fn store(
    reader: &mut dyn Read,
    path: &Path,
    limit: u64,
    progress: &mut dyn FnMut(u64),
) -> std::result::Result<(String, u64), Stopped> {
    let mut file = File::create(path).map_err(Stopped::Writing)?;
    let (mut digest, mut done) = (Sha256::new(), 0);
    let mut stopped = None;
    let read = pieces(reader, |piece| {
        done += piece.len() as u64;
        if done > limit {
            stopped = Some(Stopped::TooLong);
        } else if let Err(e) = file.write_all(piece) {
            stopped = Some(Stopped::Writing(e));
        }
        if stopped.is_some() {
            return Err(io::ErrorKind::Other.into());
        }
        digest.update(piece);
        progress(done);
        Ok(())
    });
    match (read, stopped) {
        (_, Some(why)) => Err(why),
        (Err(e), None) => Err(Stopped::Reading(e)),
        (Ok(bytes), None) => file
            .sync_all()
            .map_err(Stopped::Writing)
            .map(|()| (hex(&digest.finalize()), bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_and_limits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let (sha, bytes) = store(&mut &b"abc"[..], &path, 3, &mut |_| {}).ok().unwrap();
        // the examples of FIPS 180-2 and RFC 1321
        assert_eq!(
            (sha.as_str(), bytes),
            (
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                3
            )
        );
        assert_eq!(sha256_file(&path).unwrap(), sha);
        assert_eq!(md5_file(&path).unwrap(), "900150983cd24fb0d6963f7d28e17f72");
        assert!(matches!(
            store(&mut &b"abcd"[..], &path, 3, &mut |_| {}),
            Err(Stopped::TooLong)
        ));
    }
}
