//! Where bytes go: stdout, or a file that takes its name only when it is whole.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::stdout::{check_stdout, is_stdout};
use super::temporary::{Temporary, follow_links};
use nvc::error::{Error, Result};

const BUFFER: usize = 1 << 18;

/// A byte output. A file is written under a temporary name beside its place and renamed by
/// [`Output::commit`]; dropped without that, it is removed. Of a link, the target is written.
pub struct Output {
    name: String,
    writer: Option<BufWriter<Inner>>,
    temporary: Option<Temporary>,
}

enum Inner {
    Stdout(io::Stdout),
    File(File),
    Nowhere,
}

impl Write for Inner {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Inner::Stdout(s) => s.write(buf),
            Inner::File(f) => f.write(buf),
            Inner::Nowhere => Ok(buf.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Inner::Stdout(s) => s.flush(),
            Inner::File(f) => f.flush(),
            Inner::Nowhere => Ok(()),
        }
    }
}

impl Output {
    /// Opens `path`; `-` is stdout, `null:` takes everything and keeps nothing.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let open = |inner| Some(BufWriter::with_capacity(BUFFER, inner));
        if is_stdout(path) {
            check_stdout()?;
            return Ok(Output {
                name: "stdout".into(),
                writer: open(Inner::Stdout(io::stdout())),
                temporary: None,
            });
        }
        let name = path.display().to_string();
        if path == Path::new("null:") {
            return Ok(Output {
                name,
                writer: open(Inner::Nowhere),
                temporary: None,
            });
        }
        let error = |e| Error::io(format!("creating {name}"), e);
        let there = match fs::metadata(path) {
            Ok(m) => Some(m),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            // a name that is too long, a ring of links: told now, and not when all is done
            Err(e) => return Err(error(e)),
        };
        // devices and named pipes are written in place, and so is what another process has opened
        let opened = ["/dev/fd", "/proc/self/fd"]
            .iter()
            .any(|d| path.parent() == Some(Path::new(d)));
        if opened || there.is_some_and(|m| !m.is_file()) {
            let file = File::options().append(true).open(path).map_err(error)?;
            return Ok(Output {
                name,
                writer: open(Inner::File(file)),
                temporary: None,
            });
        }
        let target = follow_links(path);
        let (temporary, file) = Temporary::create(&target).map_err(|e| {
            let folder = target.parent().filter(|f| !f.as_os_str().is_empty());
            match folder.filter(|f| !f.exists()) {
                Some(f) => Error::io(
                    format!("creating {name}: its folder {}", f.display()),
                    io::ErrorKind::NotFound.into(),
                ),
                None => error(e),
            }
        })?;
        Ok(Output {
            name,
            writer: open(Inner::File(file)),
            temporary: Some(temporary),
        })
    }

    /// Flushes everything and gives the file its name. Later writes fail; a second commit does
    /// nothing.
    pub fn commit(&mut self) -> Result<()> {
        let Some(mut writer) = self.writer.take() else {
            return Ok(());
        };
        if let Err(e) = writer.flush() {
            // What is still buffered must not be tried again when the writer is dropped.
            let _ = writer.into_parts();
            return Err(self.error(e));
        }
        drop(writer);
        match self.temporary.take() {
            Some(t) => t.persist().map_err(|e| {
                Error::io(
                    format!("giving the finished file its name {}", self.name),
                    e,
                )
            }),
            None => Ok(()),
        }
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
        if let (Some(_), Some(writer)) = (&self.temporary, self.writer.take()) {
            // a file that is given up needs no last bytes
            let _ = writer.into_parts();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_renamed_or_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.bin");
        let mut out = Output::create(&path).unwrap();
        out.write_all(b"half").unwrap();
        let there = names(dir.path());
        assert!(
            there.len() == 1 && there[0].starts_with("a.bin.") && there[0].ends_with(".part"),
            "{there:?}"
        );
        drop(out);
        assert_eq!(names(dir.path()), [""; 0]);

        let mut out = Output::create(&path).unwrap();
        out.write_all(b"whole").unwrap();
        out.commit().unwrap();
        out.commit().unwrap();
        assert!(out.write_all(b"more").is_err());
        drop(out);
        assert_eq!(
            (fs::read(&path).unwrap(), names(dir.path())),
            (b"whole".to_vec(), vec!["a.bin".to_string()])
        );

        assert!(matches!(
            Output::create("/nonexistent/dir/a"),
            Err(Error::Io { .. })
        ));
        let mut nowhere = Output::create("null:").unwrap();
        nowhere.write_all(b"gone").unwrap();
        nowhere.commit().unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_and_rights_are_kept() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        fs::write(at("sub/real"), "before").unwrap();
        fs::set_permissions(at("sub/real"), fs::Permissions::from_mode(0o640)).unwrap();
        symlink("sub/real", at("one")).unwrap();
        symlink("one", at("two")).unwrap();
        symlink("sub/new", at("dangling")).unwrap();
        for (name, target) in [("two", "sub/real"), ("dangling", "sub/new")] {
            let mut out = Output::create(at(name)).unwrap();
            out.write_all(b"after").unwrap();
            out.commit().unwrap();
            assert!(fs::symlink_metadata(at(name)).unwrap().is_symlink());
            assert_eq!(fs::read(at(target)).unwrap(), b"after");
        }
        let mode = |name: &str| fs::metadata(at(name)).unwrap().permissions().mode() & 0o777;
        fs::write(at("plain"), "").unwrap();
        assert_eq!((mode("sub/real"), mode("sub/new")), (0o640, mode("plain")));
        assert_eq!(names(&at("sub")), ["new", "real"]);
    }

    #[cfg(unix)]
    #[test]
    fn devices_are_written_in_place() {
        let mut null = Output::create("/dev/null").unwrap();
        null.write_all(b"gone").unwrap();
        null.commit().unwrap();
        // a full device is an error at the latest in commit, and none in drop
        let mut full = Output::create("/dev/full").unwrap();
        let written = full.write_all(&[0; 10]).and_then(|()| full.flush());
        assert!(written.is_err());
        assert!(full.commit().is_err());
    }
}
