//! Tells the program which commit it was built from, for `--version` and for the results of
//! benchmarks.

use std::process::Command;

fn git(args: &[&str]) -> Option<String> {
    let out = Command::new("git")
        .args(args)
        .output()
        .ok()
        .filter(|o| o.status.success())?;
    String::from_utf8(out.stdout)
        .ok()
        .map(|s| s.trim().to_string())
}

fn main() {
    for path in [
        "../../src",
        "..",
        "../../Cargo.toml",
        "../../Cargo.lock",
        "../commit.rs",
    ] {
        println!("cargo:rerun-if-changed={path}");
    }
    // the repository above an unpacked package is another project's
    let own = git(&["rev-parse", "--show-prefix"]).is_some_and(|p| p.starts_with("crates/"));
    let commit = git(&["rev-parse", "--short=12", "HEAD"]).filter(|_| own);
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|_| own) {
        println!("cargo:rerun-if-changed={log}");
    }
    let changed =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|s| !s.is_empty());
    let text = commit.map_or("unknown".into(), |c| {
        if changed { format!("{c}+changes") } else { c }
    });
    println!("cargo:rustc-env=NVC_COMMIT={text}");
}
