//! What cannot be run is named, and the rest is run.

use crate::workspace::{Workspace, said};

#[test]
fn what_fails_or_is_missing_is_named_and_the_rest_goes_on() {
    let p = Workspace::new();
    p.clip("a.y4m", 4);
    let broken = p
        .codec()
        .replace("\"copy\"", "\"broken\"")
        .replace("cp {input} {output}", "false {input} {output}");
    p.plan(&format!(
        "{}{broken}[[codec]]\nuse = \"vvenc\"\nquality = [32]\n",
        p.codec()
    ));
    let none = p.path("no-ffmpeg");
    let o = p
        .bench(&[])
        .env("NVC_FFMPEG", &none)
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    assert_eq!(o.status.code(), Some(6), "{}", said(&o));
    assert!(said(&o).contains("FAILED a broken"), "{}", said(&o));
    assert_eq!(
        p.rows().len(),
        3 + p.rows().iter().filter(|r| r.codec == "vvenc").count()
    );
    let text = std::fs::read_to_string(p.path("out/results.md")).unwrap();
    assert!(
        text.contains("- failed: a broken") && text.contains("| copy |"),
        "{text}"
    );
    assert!(
        text.contains("- left out: vvenc") || p.rows().iter().any(|r| r.codec == "vvenc"),
        "{text}"
    );
}

#[test]
fn faults_of_plans_have_names_and_exit_codes() {
    let p = Workspace::new();
    p.clip("a.y4m", 4);
    let run = |args: &[&str]| {
        let o = p.bench(args).output().unwrap();
        (o.status.code(), said(&o))
    };
    p.write("plan.toml", "title = 1");
    assert!(matches!(run(&[]), (Some(2), m) if m.contains("plan.toml") && m.contains("title")));
    p.plan(&p.codec());
    assert!(
        matches!(run(&["--codec", "x266"]), (Some(2), m) if m.contains("the plan has external"))
    );
    assert!(matches!(run(&["--frames", "4..4"]), (Some(2), m) if m.contains("4..4")));
    assert!(matches!(run(&["--frames", "9..12"]), (Some(2), m) if m.contains("has only 4")));
    assert!(
        matches!(run(&["--dataset", "uvg/Beauties"]), (Some(2), m) if m.contains("uvg/Beauty"))
    );
    p.plan("[[codec]]\nuse = \"x265:medium:speed\"\nquality = [1]\n");
    assert!(matches!(run(&[]), (Some(2), m) if m.contains("x265:medium:speed")));
    p.plan(&format!("{}{}", p.codec(), p.codec()));
    assert!(
        matches!(run(&[]), (Some(2), m) if m.contains("codecs 1 and 2 of the plan are the same"))
    );
    p.plan("[[codec]]\nuse = \"jpeg:420\"\nquality = [1]\n");
    assert!(matches!(run(&[]), (Some(2), m) if m.contains("a is video")));
    std::fs::remove_file(p.path("a.y4m")).unwrap();
    assert!(matches!(run(&[]), (Some(3), m) if m.contains("a.y4m")));
}
