//! Files under temporary names, and temporary folders: gone when dropped, and when the program is
//! told to end.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use tempfile::{Builder, TempPath};

/// Temporary files and folders that are there now.
static THERE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn there() -> MutexGuard<'static, Vec<PathBuf>> {
    THERE.lock().unwrap_or_else(|e| e.into_inner())
}

/// Removes all temporary files and folders, for an end without destructors. Threads that
/// would create more wait.
pub fn remove_all() {
    let mut paths = there();
    paths
        .drain(..)
        .for_each(|p| drop(fs::remove_file(&p).or_else(|_| fs::remove_dir_all(&p))));
    std::mem::forget(paths);
}

/// A temporary file beside its target.
pub struct Temporary {
    path: Option<TempPath>,
    target: PathBuf,
}

impl Temporary {
    /// Creates `NAME.XXXXXX.part` beside `target`, with the access rights that `target` has or a
    /// new file gets.
    pub fn create(target: &Path) -> io::Result<(Self, File)> {
        let folder = folder_of(target);
        let mut prefix = target.file_name().unwrap_or_default().to_os_string();
        // file systems allow names of 255 bytes
        if prefix.len() > 200 {
            prefix = "nvc".into();
        }
        prefix.push(".");
        let mut builder = Builder::new();
        builder.prefix(&prefix).suffix(".part");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let mut list = there();
        let (file, path) = builder.tempfile_in(folder)?.into_parts();
        list.push(path.to_path_buf());
        drop(list);
        let temporary = Temporary {
            path: Some(path),
            target: target.into(),
        };
        if let Ok(before) = fs::metadata(target) {
            file.set_permissions(before.permissions())?;
        }
        Ok((temporary, file))
    }

    /// Gives the file its target's name.
    pub fn persist(mut self) -> io::Result<()> {
        let Some(path) = self.path.take() else {
            return Ok(());
        };
        let name = path.to_path_buf();
        let done = path.persist(&self.target).map_err(|e| e.error);
        forget(&name);
        done
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            let name = path.to_path_buf();
            drop(path);
            forget(&name);
        }
    }
}

/// A temporary folder.
pub struct TemporaryFolder(tempfile::TempDir);

impl TemporaryFolder {
    /// Below another folder, or below the system's for such.
    pub fn create(below: Option<&Path>) -> io::Result<Self> {
        let mut list = there();
        let dir = match below {
            Some(dir) => tempfile::tempdir_in(dir)?,
            None => tempfile::tempdir()?,
        };
        list.push(dir.path().to_path_buf());
        Ok(TemporaryFolder(dir))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        forget(self.0.path());
    }
}

fn forget(path: &Path) {
    there().retain(|p| p != path);
}

/// The folder that a file is in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// What a name stands for once links are followed; the target of a link that leads nowhere.
pub fn follow_links(path: &Path) -> PathBuf {
    /// As many as Linux follows.
    const MOST: usize = 40;
    let mut path = path.to_path_buf();
    for _ in 0..MOST {
        let Ok(to) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(to);
    }
    path
}
