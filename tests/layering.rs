//! Inside this crate, read from its source: imports go along the arrows of docs/architecture.md, and
//! exact modules name no real number (clippy sees their arithmetic, but not their types).

use std::path::{Path, PathBuf};

/// What each module may import beside `error`, and whether it is exact.
const ARROWS: [(&str, &str, bool); 11] = [
    ("error", "", true),
    ("frame", "", true),
    ("color", "frame", false),
    ("metrics", "color frame", false),
    ("bitstream", "frame", true),
    ("network", "bitstream frame", true),
    ("entropy", "network", true),
    ("synth", "entropy frame network", true),
    ("group", "bitstream entropy frame network", true),
    ("decoder", "bitstream entropy frame group synth", true),
    ("frames", "decoder frame", true),
];

fn files(dir: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    paths
        .flat_map(|p| if p.is_dir() { files(&p) } else { vec![p] })
        .filter(|p| !p.ends_with("src/lib.rs") && !p.to_str().unwrap().ends_with("tests.rs"))
        .collect()
}

#[test]
fn modules_import_along_the_arrows_and_exact_ones_name_no_real_number() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let all = files(&src);
    assert!(all.len() > 40, "{} files", all.len());
    for path in all {
        let name = path.strip_prefix(&src).unwrap().to_str().unwrap();
        let own = name.split(['/', '.']).next().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\n").next().unwrap();
        let code: Vec<&str> = code.lines().filter_map(|l| l.split("//").next()).collect();
        let code = code.join("\n");
        let row = ARROWS.iter().find(|(module, ..)| *module == own);
        let (_, allowed, exact) = row.unwrap_or_else(|| panic!("{own} is not in ARROWS"));
        let may = |m: &str| m == own || m == "error" || allowed.split(' ').any(|a| a == m);
        assert!(!code.contains("crate::{"), "{name}: one line a module");
        let imported = code.split("crate::").skip(1);
        let imported = imported.filter_map(|a| a.split(|c: char| !c.is_alphanumeric()).next());
        let bad: Vec<&str> = imported.filter(|m| !may(m)).collect();
        assert!(
            bad.is_empty(),
            "{name} imports {bad:?} (allowed: error {allowed})"
        );
        let real = ["f32", "f64"].iter().any(|t| code.contains(t));
        assert!(!(real && *exact), "{name} names a real number");
    }
}
