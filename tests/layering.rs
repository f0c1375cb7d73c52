//! The arrows of docs/architecture.md inside this crate, read from the source text. Between crates, cargo holds them.

use std::path::Path;

/// Modules in an order in which each imports only those before it.
const ORDER: [&str; 11] = ["error", "frame", "color", "metrics", "bitstream", "network", "entropy", "synth", "group", "decoder", "frames"];
/// What does not follow from the order: whole pictures and their scores are no part of the format's inside.
const APART: [(&str, &[&str]); 5] = [
    ("bitstream", &["color", "metrics"]),
    ("network", &["color", "metrics"]),
    ("entropy", &["color", "metrics"]),
    ("synth", &["bitstream", "color", "metrics"]),
    ("decoder", &["color", "metrics"]),
];

/// Modules that a source file names after `crate::`, tests and comments left out.
fn imports(text: &str) -> Vec<&str> {
    let code = text.split("#[cfg(test)]").next().unwrap_or("");
    let lines = code.lines().map(|l| l.split("//").next().unwrap_or(""));
    let after = lines.flat_map(|l| l.split("crate::").skip(1));
    after.map(|a| a.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("")).filter(|m| ORDER.contains(m)).collect()
}

fn check(dir: &Path, module: Option<&str>, wrong: &mut Vec<String>) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let own = module.unwrap_or_else(|| path.file_stem().and_then(|n| n.to_str()).unwrap()).to_string();
        if path.is_dir() {
            files += check(&path, Some(&own), wrong);
        } else if let Some(place) = ORDER.iter().position(|m| *m == own).filter(|_| !path.ends_with("tests.rs")) {
            files += 1;
            let apart = APART.iter().find(|(m, _)| *m == own).map_or(&[][..], |(_, a)| a);
            let text = std::fs::read_to_string(&path).unwrap();
            let bad = |to: &&str| ORDER[place + 1..].contains(to) || apart.contains(to);
            wrong.extend(imports(&text).into_iter().filter(bad).map(|to| format!("{}: {own} imports {to}", path.display())));
        }
    }
    files
}

#[test]
fn modules_import_only_along_the_arrows() {
    let mut wrong = Vec::new();
    let files = check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), None, &mut wrong);
    assert!(files > 40 && wrong.is_empty(), "{files} files; {}", wrong.join("\n"));
    assert_eq!(
        imports("use crate::frame::Frame; // crate::group\nlet x = crate::synth::f();\n#[cfg(test)]\nuse crate::color;"),
        ["frame", "synth"]
    );
}
