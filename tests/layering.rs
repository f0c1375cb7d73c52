//! The arrows of docs/architecture.md inside this crate, read from the source text. Between crates,
//! cargo holds them.

use std::path::{Path, PathBuf};

/// What each module may import beside `error`.
const ARROWS: [(&str, &str); 11] = [
    ("error", ""),
    ("frame", ""),
    ("color", "frame"),
    ("metrics", "color frame"),
    ("bitstream", "frame"),
    ("network", "bitstream frame"),
    ("entropy", "network"),
    ("synth", "entropy frame network"),
    ("group", "bitstream entropy frame network"),
    ("decoder", "bitstream entropy frame group synth"),
    ("frames", "decoder frame"),
];
/// Modules on the way from bytes to samples.
const EXACT: &str = "bitstream entropy network synth group decoder frame";

/// Code of each source file by its path, comments and tests left out.
fn sources(dir: &Path) -> Vec<(PathBuf, String)> {
    let paths = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    let file = |p: PathBuf| {
        let text = std::fs::read_to_string(&p).unwrap();
        let code = text.split("#[cfg(test)]\n").next().unwrap_or("");
        let lines: Vec<&str> = code
            .lines()
            .map(|l| l.split("//").next().unwrap_or(""))
            .collect();
        vec![(p, lines.join("\n"))]
    };
    paths
        .filter(|p| !p.ends_with("lib.rs") && !p.to_str().unwrap().ends_with("tests.rs"))
        .flat_map(|p| if p.is_dir() { sources(&p) } else { file(p) })
        .collect()
}

/// Path below `src`, and the module that it belongs to.
fn place(path: &Path) -> (String, String) {
    let below = path
        .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .unwrap()
        .to_str()
        .unwrap()
        .to_string();
    let module = below.split(['/', '.']).next().unwrap().to_string();
    (below, module)
}

fn words<'a>(code: &'a str, after: &str) -> Vec<&'a str> {
    code.split(after)
        .skip(1)
        .map(|a| {
            a.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
                .unwrap_or("")
        })
        .collect()
}

#[test]
fn modules_import_only_along_the_arrows() {
    let all = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(all.len() > 40, "{} files", all.len());
    for (path, code) in all {
        let (file, own) = place(&path);
        let (_, allowed) = ARROWS
            .iter()
            .find(|(m, _)| *m == own)
            .unwrap_or_else(|| panic!("{file}: module {own} is not in ARROWS"));
        let may = |m: &&str| *m == own || *m == "error" || allowed.split(' ').any(|a| a == *m);
        assert!(
            !code.contains("crate::{"),
            "{file}: one line for each module"
        );
        let bad = words(&code, "crate::")
            .into_iter()
            .filter(|m| m.starts_with(|c: char| c.is_lowercase()))
            .find(|m| !may(m));
        assert_eq!(
            bad, None,
            "{file}: {own} imports it (allowed: error {allowed})"
        );
    }
    assert_eq!(
        words(
            "use crate::frame::Frame; let x = crate::synth::f();",
            "crate::"
        ),
        ["frame", "synth"]
    );
}

/// Floating point that clippy is told to allow between bytes and samples is the encoder's: what
/// decodes calls none of it.
#[test]
fn the_encoder_s_floating_point_is_not_called_when_decoding() {
    for (path, code) in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let (file, own) = place(&path);
        let sizes = code.matches("size::").count()
            - code.matches("usize::").count()
            - code.matches("isize::").count();
        let size = file.starts_with("network/size") || sizes == 0;
        // and no other file there names a real number's type, which clippy's lint of arithmetic
        // does not see
        let encoders = file.starts_with("network/size")
            || ["entropy/contexts.rs", "entropy/tensor.rs"].contains(&file.as_str());
        let real = encoders || !["f32", "f64"].iter().any(|t| code.contains(t));
        // of a tensor's modes only the writer chooses, and nothing else there counts bits
        let costs = code
            .lines()
            .filter(|l| l.contains("Cost") && !l.contains("use "))
            .count();
        let counts = costs == 0
            || file == "entropy/contexts.rs"
            || (file == "entropy/tensor.rs" && costs == 1 && words(&code, "cheaper(").len() == 2);
        let steps = !code.contains("QuantStep::nearest(") && !code.contains("step.value()");
        assert!(
            (size && real && counts && steps) || !EXACT.split(' ').any(|m| m == own),
            "{file}: floating point of the encoder's"
        );
    }
}
