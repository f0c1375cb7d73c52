//! Wheels of Python packages, fetched by pip: the user's index, proxies and certificates hold.

use std::fs;
use std::io::{Error as IoError, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::files::make_folder;
use nvc::error::{Error, Result};

/// The wheel in `folder` if it is there already.
pub fn wheel_in(folder: &Path) -> Option<PathBuf> {
    let mut wheels = fs::read_dir(folder)
        .ok()?
        .filter_map(|e| Some(e.ok()?.path()));
    wheels.find(|p| p.extension().is_some_and(|e| e == "whl"))
}

/// Fetches the wheel of a package into `folder`. Source packages are never taken: to unpack one,
/// pip would run its code.
pub fn fetch_wheel(package: &str, version: &str, folder: &Path) -> Result<PathBuf> {
    make_folder(folder)?;
    let mut command = Command::new("python3");
    command.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
    ]);
    command
        .args(["--no-deps", "--only-binary", ":all:", "--dest"])
        .arg(folder)
        .arg(format!("{package}=={version}"));
    let context = format!("fetching {package} {version} by 'python3 -m pip download'");
    let done = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .map_err(|e| match e.kind() {
            ErrorKind::NotFound => Error::io(
                context.clone(),
                IoError::new(e.kind(), "there is no program 'python3'"),
            ),
            _ => Error::io(context.clone(), e),
        })?;
    if !done.status.success() {
        let text = String::from_utf8_lossy(&done.stderr);
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|l| !l.is_empty())
            .collect();
        let said = lines
            .iter()
            .rev()
            .find(|l| l.starts_with("ERROR:"))
            .or(lines.last())
            .copied()
            .unwrap_or("it says nothing");
        return Err(Error::io(context, IoError::other(said.to_string())));
    }
    wheel_in(folder).ok_or_else(|| {
        Error::io(
            context,
            IoError::new(ErrorKind::NotFound, "pip left no .whl file"),
        )
    })
}
