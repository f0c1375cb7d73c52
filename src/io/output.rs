//! Where bytes go: stdout, or a file that takes its name only when it is whole.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

const BUFFER: usize = 1 << 18;

/// A byte output. A file is written as `NAME.part` beside its place and renamed by [`Output::commit`]; dropped
/// without that, the part is removed.
pub struct Output {
    name: String,
    writer: Option<BufWriter<Inner>>,
    rename: Option<(PathBuf, PathBuf)>,
}

enum Inner {
    Stdout(io::Stdout),
    File(File),
}

impl Write for Inner {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Inner::Stdout(s) => s.write(buf),
            Inner::File(f) => f.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Inner::Stdout(s) => s.flush(),
            Inner::File(f) => f.flush(),
        }
    }
}

impl Output {
    /// Opens `path`; `-` is stdout.
    pub fn create(path: &str) -> Result<Self> {
        if path == "-" {
            let writer = BufWriter::with_capacity(BUFFER, Inner::Stdout(io::stdout()));
            return Ok(Output { name: "stdout".into(), writer: Some(writer), rename: None });
        }
        // Devices and named pipes are written in place.
        let special = fs::metadata(path).is_ok_and(|m| !m.is_file());
        let part = PathBuf::from(format!("{path}.part"));
        let target = if special { Path::new(path) } else { &part };
        let file = if special { File::options().write(true).open(target) } else { File::create(target) };
        let file = file.map_err(|e| Error::io(format!("creating {}", target.display()), e))?;
        Ok(Output {
            name: path.into(),
            writer: Some(BufWriter::with_capacity(BUFFER, Inner::File(file))),
            rename: (!special).then(|| (part, PathBuf::from(path))),
        })
    }

    /// Flushes everything and gives the file its name. Later writes fail; a second commit does nothing.
    pub fn commit(&mut self) -> Result<()> {
        let Some(mut writer) = self.writer.take() else { return Ok(()) };
        if let Err(e) = writer.flush() {
            // What is still buffered must not be tried again when the writer is dropped.
            let _ = writer.into_parts();
            return Err(self.error(e));
        }
        drop(writer);
        if let Some((part, path)) = self.rename.take() {
            fs::rename(&part, &path).map_err(|e| {
                let _ = fs::remove_file(&part);
                Error::io(format!("renaming {} to {}", part.display(), path.display()), e)
            })?;
        }
        Ok(())
    }

    /// A write error with this output's name.
    pub fn error(&self, source: io::Error) -> Error {
        Error::io(format!("writing {}", self.name), source)
    }
}

impl Write for Output {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.writer.as_mut().ok_or_else(closed)?.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.as_mut().ok_or_else(closed)?.flush()
    }
}

fn closed() -> io::Error {
    io::Error::other("output is finished already")
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some((part, _)) = self.rename.take() {
            if let Some(writer) = self.writer.take() {
                let _ = writer.into_parts();
            }
            let _ = fs::remove_file(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_is_renamed_or_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.bin");
        let name = path.to_str().unwrap();
        let part = dir.path().join("a.bin.part");
        let mut out = Output::create(name).unwrap();
        out.write_all(b"half").unwrap();
        assert!(part.exists() && !path.exists());
        drop(out);
        assert!(!part.exists() && !path.exists());

        let mut out = Output::create(name).unwrap();
        out.write_all(b"whole").unwrap();
        out.commit().unwrap();
        assert!(out.write_all(b"x").is_err());
        drop(out);
        assert!(!part.exists());
        assert_eq!(fs::read(&path).unwrap(), b"whole");
    }

    #[test]
    fn missing_directory_names_the_file() {
        let e = Output::create("/nonexistent/dir/x.y4m").err().unwrap();
        assert!(matches!(&e, Error::Io { context, .. } if context.contains("x.y4m")), "{e}");
    }
}
