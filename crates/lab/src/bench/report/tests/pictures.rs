//! Decoded frames.

use super::*;

/// A file that passes for a PNG, of so many bytes.
fn fake_png(dir: &Path, name: &str, bytes: usize) {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    file.resize(bytes, name.len() as u8);
    std::fs::write(dir.join(name), file).unwrap();
}

#[test]
fn pictures_are_chosen_evenly_within_their_budget() {
    let dir = tempfile::tempdir().unwrap();
    let (mut all, mut sequences) = (Vec::new(), Vec::new());
    for s in ["s1", "s2"] {
        let source = format!("{s}-source.png");
        fake_png(dir.path(), &source, 300);
        sequences.push(SequenceInfo {
            name: s.into(),
            picture: Some(source.into()),
            ..SequenceInfo::default()
        });
        for codec in ["x265", "nvc"] {
            // largest file first, as a plan may have it
            let mut curve = points(codec, s, 0.0);
            curve.reverse();
            for p in &mut curve {
                let name = format!("{s}-{codec}-{}.png", p.row.point);
                fake_png(dir.path(), &name, 300);
                p.picture = Some(name);
            }
            all.extend(curve);
        }
    }
    let embedded = |pictures: u64| {
        let i = ReportInput {
            picture_budget: pictures * 400,
            ..input(&all, &sequences)
        };
        write_report(dir.path(), &i).unwrap();
        let page = std::fs::read_to_string(dir.path().join("report.html")).unwrap();
        let d = data_of(&page);
        let name = |p: &serde_json::Value| {
            let label = p["label"].as_str().unwrap();
            format!(
                "s{} {}",
                p["view"].as_u64().unwrap() + 1,
                label.split([':', ',']).next().unwrap()
            )
        };
        let names: Vec<String> = d["pictures"].as_array().unwrap().iter().map(name).collect();
        assert_eq!(page.matches("data:image/png;base64,").count(), names.len());
        assert_eq!(names.len() as u64, pictures.min(14));
        if pictures < 14 {
            assert!(
                page.contains(&format!(
                    "{} of 14 pictures are not in this file",
                    14 - pictures
                )),
                "{pictures}"
            );
            assert_eq!(
                page.split("<ul class=\"beside\">")
                    .nth(1)
                    .unwrap()
                    .split("</ul>")
                    .next()
                    .unwrap()
                    .matches("<li>")
                    .count() as u64,
                14 - pictures
            );
        } else {
            assert!(!page.contains("not in this file"));
        }
        names
    };
    assert_eq!(embedded(0), [""; 0]);
    assert_eq!(embedded(1), ["s1 source"]);
    assert_eq!(embedded(3), ["s1 source", "s1 x265 p1", "s2 source"]);
    assert_eq!(
        embedded(6),
        [
            "s1 source",
            "s1 x265 p1",
            "s1 nvc p1",
            "s2 source",
            "s2 x265 p1",
            "s2 nvc p1"
        ]
    );
    let eight = embedded(8);
    assert_eq!(eight.iter().filter(|n| n.starts_with("s1")).count(), 4);
    assert_eq!(embedded(14).len(), embedded(99).len());
    // one that is too large leaves room for those that are not
    fake_png(dir.path(), "s1-source.png", 100_000);
    let i = ReportInput {
        picture_budget: 400,
        ..input(&all, &sequences)
    };
    write_report(dir.path(), &i).unwrap();
    let page = std::fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert_eq!(data_of(&page)["pictures"][0]["view"], 1);
    assert!(
        page.contains("<code>s1-source.png</code>") && page.contains("below 400 B of pictures")
    );
}

#[test]
fn pictures_are_embedded_once_and_missing_ones_said() {
    let dir = tempfile::tempdir().unwrap();
    let png = |v: u8| {
        let mut out = std::io::Cursor::new(Vec::new());
        image::RgbImage::from_pixel(3, 2, image::Rgb([v, 0, 0]))
            .write_to(&mut out, image::ImageFormat::Png)
            .unwrap();
        out.into_inner()
    };
    std::fs::write(dir.path().join("source.png"), png(1)).unwrap();
    std::fs::write(dir.path().join("a.png"), png(2)).unwrap();
    std::fs::write(dir.path().join("b.png"), "text").unwrap();
    let mut p = points("x265", "s1", 0.0);
    for (p, name) in p.iter_mut().zip(["a.png", "b.png", "c.png"]) {
        p.picture = Some(name.into());
    }
    let sequences = [SequenceInfo {
        name: "s1".into(),
        picture: Some("source.png".into()),
        picture_frame: 4,
        ..SequenceInfo::default()
    }];
    write_report(dir.path(), &input(&p, &sequences)).unwrap();
    let page = std::fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert_eq!(page.matches("data:image/png;base64,").count(), 2);
    for v in [1, 2] {
        assert_eq!(page.matches(&BASE64_STANDARD.encode(png(v))).count(), 1);
    }
    let pictures = data_of(&page)["pictures"].clone();
    assert_eq!(
        pictures[0],
        serde_json::json!({"id": 0, "view": 0, "label": "source, frame 4"})
    );
    assert_eq!(pictures[1]["label"], "x265 p0: 0.1000 bpp, PSNR RGB 30.00");
    assert!(
        page.contains(
            "The picture b.png (s1, x265 p1: 0.2000 bpp, PSNR RGB 33.01) is no PNG file."
        )
    );
    assert!(
        page.contains(
            "The picture c.png (s1, x265 p2: 0.4000 bpp, PSNR RGB 36.02) could not be read"
        )
    );
}
