//! One look at all files of a command, before any is opened: nothing that is read is written,
//! nothing is written twice, nothing is overwritten unasked.

mod files;

use std::path::Path;

use self::files::Files;
use super::pattern::Pattern;
use super::stdout::is_stdout;
use nvc::error::{Error, Result};

/// The files of a command.
#[derive(Debug)]
pub struct FileGuard {
    overwrite: bool,
    reads: Vec<Files>,
    writes: Vec<Files>,
}

impl FileGuard {
    /// `overwrite` allows to replace files, but never those that are read.
    pub fn new(overwrite: bool) -> Self {
        FileGuard {
            overwrite,
            reads: Vec::new(),
            writes: Vec::new(),
        }
    }

    /// A file that is read. A name with a frame number that is no file itself stands for all
    /// pictures of that name.
    pub fn reads(mut self, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let numbered = if path.exists() {
            None
        } else {
            Pattern::parse(path)
        };
        self.reads.push(Files::new(path, numbered, 0, false));
        self
    }

    /// A file that is written.
    pub fn writes(mut self, path: impl AsRef<Path>) -> Self {
        self.writes.push(Files::new(path.as_ref(), None, 0, true));
        self
    }

    /// Pictures that are written, numbered from 1 if the name holds a frame number.
    pub fn writes_pictures(mut self, path: impl AsRef<Path>) -> Self {
        self.writes.push(Files::new(
            path.as_ref(),
            Pattern::parse(path.as_ref()),
            1,
            true,
        ));
        self
    }

    /// An [`Error::Parameter`] that names the file if something would be lost.
    pub fn check(self) -> Result<()> {
        let fail = |what: String| Err(Error::Parameter(what));
        if let Some((w, twice)) = self.writes.iter().find_map(|w| Some((w, w.twice()?))) {
            let what = format!(
                "two pictures of {} would both go to {}, by links; remove the links",
                w.name.display(),
                twice.display()
            );
            return fail(what);
        }
        for (i, w) in self.writes.iter().enumerate() {
            if let Some((r, file)) = self.reads.iter().find_map(|r| Some((r, w.meets(r)?))) {
                let names = if w.name == r.name {
                    ""
                } else {
                    &format!(" ({} and {})", r.name.display(), w.name.display())
                };
                return fail(format!(
                    "input and output are the same file {}{names}",
                    file.display()
                ));
            }
            let twice =
                |v: &&Files| w.meets(v).is_some() || (is_stdout(&w.name) && is_stdout(&v.name));
            if let Some(v) = self.writes[..i].iter().find(twice) {
                let names = if w.name == v.name {
                    ""
                } else {
                    &format!(" (as {})", v.name.display())
                };
                return fail(format!(
                    "two outputs would both go to {}{names}; give each a name of its own",
                    w.name.display()
                ));
            }
        }
        if self.overwrite {
            return Ok(());
        }
        match self.writes.iter().find_map(|w| w.there.first()) {
            Some((path, _)) => fail(format!("{} exists; -y overwrites it", path.display())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn dir() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", "b", "f_001.png", "f_002.png", "100% of it"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        fs::create_dir(dir.path().join("sub")).unwrap();
        dir
    }

    fn says(guard: FileGuard, what: Option<&str>) {
        match (guard.check(), what) {
            (Ok(()), None) => {}
            (Err(Error::Parameter(m)), Some(w)) if m.contains(w) => {}
            (got, wanted) => panic!("{got:?}, expected {wanted:?}"),
        }
    }

    #[test]
    fn inputs_are_never_written_however_they_are_spelt() {
        let dir = dir();
        let at = |name: &str| dir.path().join(name);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("a", at("link")).unwrap();
            std::os::unix::fs::symlink(dir.path(), at("sub/up")).unwrap();
            fs::hard_link(at("a"), at("hard")).unwrap();
        }
        let mut spellings = vec!["a", "./a", "sub/../a"];
        if cfg!(unix) {
            spellings.extend(["link", "sub/up/a", "hard", "sub/up/link"]);
        }
        for s in spellings {
            for overwrite in [false, true] {
                says(
                    FileGuard::new(overwrite).reads(at("a")).writes(at(s)),
                    Some("same file"),
                );
            }
        }
        says(
            FileGuard::new(true)
                .reads(at("100% of it"))
                .writes(at("100% of it")),
            Some("same file"),
        );
        says(
            FileGuard::new(true)
                .reads(at("f_%03d.png"))
                .writes_pictures(at("sub/../f_%03d.png")),
            Some("same file"),
        );
        says(
            FileGuard::new(true)
                .reads(at("f_%03d.png"))
                .writes(at("f_002.png")),
            Some("same file"),
        );
        says(
            FileGuard::new(true)
                .reads(at("f_002.png"))
                .writes_pictures(at("f_%03d.png")),
            Some("same file"),
        );
        says(
            FileGuard::new(true)
                .reads(at("f_002.png"))
                .writes_pictures(at("g_%03d.png")),
            None,
        );
    }

    #[test]
    fn nothing_is_overwritten_unasked() {
        let dir = dir();
        let at = |name: &str| dir.path().join(name);
        for (name, overwrite, what) in [
            ("b", false, Some("b exists; -y")),
            ("b", true, None),
            ("new", false, None),
        ] {
            says(
                FileGuard::new(overwrite).reads(at("a")).writes(at(name)),
                what,
            );
        }
        says(
            FileGuard::new(false)
                .reads(at("a"))
                .writes_pictures(at("f_%03d.png")),
            Some("f_001.png exists"),
        );
        says(
            FileGuard::new(true)
                .reads(at("a"))
                .writes_pictures(at("f_%03d.png")),
            None,
        );
        // a name without a frame number is a plain one
        says(
            FileGuard::new(false).writes_pictures(at("100% of it")),
            Some("exists"),
        );
    }

    #[test]
    fn no_file_is_written_twice() {
        let dir = dir();
        let at = |name: &str| dir.path().join(name);
        says(
            FileGuard::new(true)
                .writes(at("new"))
                .writes(at("sub/../new")),
            Some("two outputs"),
        );
        says(
            FileGuard::new(true)
                .writes(at("g_007.png"))
                .writes_pictures(at("g_%03d.png")),
            Some("two outputs"),
        );
        says(
            FileGuard::new(true).writes("-").writes("-"),
            Some("two outputs"),
        );
        says(FileGuard::new(true).writes("null:").writes("null:"), None);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("new", at("dangling")).unwrap();
            for (n, to) in [(1, "new"), (2, "other"), (5, "other")] {
                std::os::unix::fs::symlink(to, at(&format!("v_{n}.png"))).unwrap();
            }
            says(
                FileGuard::new(true).writes_pictures(at("v_%d.png")),
                Some("two pictures"),
            );
            fs::remove_file(at("v_5.png")).unwrap();
            says(FileGuard::new(true).writes_pictures(at("v_%d.png")), None);
            says(
                FileGuard::new(true)
                    .writes(at("new"))
                    .writes_pictures(at("v_%d.png")),
                Some("two outputs"),
            );
            says(
                FileGuard::new(true)
                    .writes(at("new"))
                    .writes(at("dangling")),
                Some("two outputs"),
            );
            says(
                FileGuard::new(true)
                    .reads("/dev/null")
                    .writes("/dev/null")
                    .writes("/dev/null"),
                None,
            );
        }
    }
}
