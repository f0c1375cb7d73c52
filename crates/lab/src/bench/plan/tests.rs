use super::*;

const GOOD: &str = r#"
    title = "t"
    [[sequence]]
    source = "dataset:uvg"
    frames = "0..96"
    crop = "1920x960"
    [[codec]]
    use = "nvc"
    arch = "hnerv"
    bpp = [0.1, 0.2]
    [[codec]]
    use = "x265:veryslow:psnr"
    quality = [22, 27.5]
"#;

#[test]
fn the_plans_that_come_with_nvc_are_plans() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/rd");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let plan = Plan::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            plan.metrics()
                .and_then(|_| plan.method())
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            names.push(path.file_stem().unwrap().to_string_lossy().into_owned());
        }
    }
    assert!(
        names.iter().any(|n| n == "quick") && names.len() > 4,
        "{names:?}"
    );
}

#[test]
fn a_plan_and_its_defaults() {
    let p = Plan::parse(GOOD).unwrap();
    assert_eq!(
        (p.anchor.as_str(), p.threads, p.jobs),
        ("x265 medium", 1, None)
    );
    assert_eq!(p.sequence[0].frames().unwrap(), Some(0..96));
    assert_eq!(p.sequence[0].crop().unwrap(), Some((1920, 960)));
    assert!(p.sequence[0].file(Path::new("/x")).is_none());
    assert_eq!(
        SequencePlan::of("a.y4m").file(Path::new("/x")),
        Some("/x/a.y4m".into())
    );
    assert_eq!(p.codec[1].quality, [22.0, 27.5]);
    assert!(p.wants("psnr_rgb") && !p.wants("vmaf"));
}

#[test]
fn faults_are_named() {
    for (from, to, what) in [
        ("title = \"t\"", "", "title"),
        ("0..96", "9..9", "half-open"),
        ("1920x960", "1920", "WIDTHxHEIGHT"),
        ("arch", "arc", "arc"),
        ("bpp = [0.1, 0.2]", "bpp = [0.1, -1.0]", "-1"),
        ("bpp = [0.1, 0.2]", "", "no points"),
        ("bpp = [0.1, 0.2]", "quality = [nan]", "NaN"),
        (
            "quality = [22, 27.5]",
            "quality = [22, 27.5]\norder0 = true",
            "belong to 'nvc'",
        ),
        (
            "use = \"x265:veryslow:psnr\"",
            "use = \"x265\"\npreset = \"slow\"",
            "x265:slow",
        ),
        (
            "use = \"x265:veryslow:psnr\"",
            "use = \"external\"",
            "needs name",
        ),
        (
            "use = \"x265:veryslow:psnr\"",
            "use = \"x265\"\nencode = \"a\"",
            "belong to 'external'",
        ),
        (
            "title = \"t\"",
            "title = \"t\"\nmetrics = [\"psnr\"]",
            "psnr_rgb",
        ),
        (
            "title = \"t\"",
            "title = \"t\"\nmethod = \"linear\"",
            "pchip",
        ),
        ("title = \"t\"", "title = \"t\"\njobs = 0", "1..=1024"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        match Plan::parse(&GOOD.replace(from, to)) {
            Err(Error::Parameter(m)) => assert!(m.contains(what), "{to}: {m}"),
            r => panic!("{to}: {r:?}"),
        }
    }
}
