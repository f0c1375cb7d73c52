//! Diagrams as files.

use super::*;

#[test]
fn svg_files_are_escaped_white_and_without_empty_curves() {
    let line = |name: &str, points: &[(f64, f64)], published| plots::Line {
        name: name.into(),
        style: 3,
        published,
        points: points.to_vec(),
    };
    assert_eq!(
        plots::svg(
            "t",
            "y",
            vec![line(
                "a",
                &[(0.0, 1.0), (f64::NAN, 2.0), (1.0, f64::INFINITY)],
                false
            )]
        )
        .unwrap(),
        None
    );
    let svg = plots::svg(
        "<t>&",
        "y",
        vec![
            line("a<b", &[(0.1, 30.0), (2.0, 40.0)], false),
            line("c", &[(0.2, 33.0)], true),
        ],
    )
    .unwrap()
    .unwrap();
    assert!(
        svg.starts_with("<svg")
            && svg.contains("a&lt;b")
            && svg.contains("&lt;t&gt;&amp;")
            && !svg.contains("<t>"),
        "{svg}"
    );
    assert!(svg.contains("#FFFFFF") && !svg.contains("http://www.w3.org/1999/xhtml"));
    // a marker a point and one in the legend for each line
    assert_eq!(svg.matches("<polygon").count(), 3 + 2);
    let alone = plots::svg("t", "y", vec![line("a", &[(0.1, 30.0)], false)])
        .unwrap()
        .unwrap();
    assert_eq!(alone.matches("<polygon").count(), 2);
    assert!(!svg.contains("NaN") && !alone.contains("NaN"));
}
