//! Curves from the literature.

use super::*;

#[test]
fn published_curves_stand_with_their_sequence_or_alone() {
    let p = points("x265", "uvg/Jockey", 0.0);
    let mut i = input(&p, &[]);
    i.published = true;
    let (page, plots) = written(&i);
    let d = data_of(&page);
    assert_eq!(d["views"][0]["published"], "Jockey");
    assert!(
        d["views"][0]["note"]
            .as_str()
            .unwrap()
            .contains("do not compare with the points measured here. Those are of 600 frames of 1920x1080, 1920x960.")
    );
    assert_eq!(
        (
            &d["views"][1]["published"],
            d["views"].as_array().unwrap().len()
        ),
        (&"average".into(), 2)
    );
    assert_eq!(
        plots,
        ["UVG-average__psnr_rgb.svg", "uvg-Jockey__psnr_rgb.svg"]
    );
    let svg = |p: &[Point]| {
        plots::svg(
            "",
            "",
            Content::new(&ReportInput {
                published: true,
                ..input(p, &[])
            })
            .lines(0, Metric::PsnrRgb),
        )
        .unwrap()
        .unwrap()
    };
    assert!(!svg(&p).contains("published"));
    let mut whole = p.clone();
    whole
        .iter_mut()
        .for_each(|p| (p.row.frames, p.row.width, p.row.height) = (600, 1920, 1080));
    assert!(svg(&whole).contains("HiNeRV, published") && !svg(&whole).contains("1920x960"));
    // of the crop, those of the crop; of other sizes or fewer frames, none
    let mut cropped = whole.clone();
    cropped.iter_mut().for_each(|p| p.row.height = 960);
    assert!(
        svg(&cropped).contains("HNeRV (authors, 1920x960), published")
            && !svg(&cropped).contains("HiNeRV")
    );
    for (frames, height) in [(599, 960), (599, 1080), (600, 1024)] {
        let mut other = whole.clone();
        other
            .iter_mut()
            .for_each(|p| (p.row.frames, p.row.height) = (frames, height));
        assert!(
            !svg(&other).contains("published"),
            "{frames} frames of {height} rows"
        );
    }
    assert!(
        page.contains("id=\"published\"")
            && page.contains("https://github.com/google-deepmind/c3_neural_compression")
    );

    // all seven sequences: their average is compared with the published one
    let p: Vec<Point> = uvg()
        .frames
        .keys()
        .flat_map(|s| points("x265", s, 0.0))
        .collect();
    let mut i = input(&p, &[]);
    i.published = true;
    let d = data_of(&written(&i).0);
    let views = d["views"].as_array().unwrap();
    assert_eq!(
        (views.len(), &views[7]["name"], &views[7]["published"]),
        (8, &"average".into(), &"average".into())
    );
    // without the metric of the published points they still are shown alone
    let mut i = input(&[], &[]);
    i.published = true;
    let (page, plots) = written(&i);
    assert_eq!(
        (data_of(&page)["metrics"][0]["key"].as_str().unwrap(), plots),
        ("psnr_rgb", vec!["UVG-average__psnr_rgb.svg".to_string()])
    );
}

#[test]
fn every_published_curve_is_marked_where_it_does_not_compare() {
    let all: Vec<(&str, u64)> = uvg()
        .frames
        .iter()
        .map(|(name, frames)| (name.as_str(), *frames))
        .collect();
    let measured = |height: usize| -> Vec<Point> {
        let of = |(name, frames): &(&str, u64)| {
            let mut p = points("x265", name, 0.0);
            p.iter_mut()
                .for_each(|p| (p.row.frames, p.row.width, p.row.height) = (*frames, 1920, height));
            p
        };
        all.iter().flat_map(of).collect()
    };
    for (height, said) in [
        (
            1080,
            "Those marked as not comparable are of other pictures (1920x960",
        ),
        (
            960,
            "Those marked as not comparable are of other pictures (1920x1080",
        ),
        (1024, "they do not compare with the points measured here."),
    ] {
        let p = measured(height);
        let (page, plots) = written(&ReportInput {
            published: true,
            ..input(&p, &[])
        });
        let d = data_of(&page);
        assert_eq!((d["views"].as_array().unwrap().len(), plots.len()), (8, 8));
        for view in d["views"].as_array().unwrap() {
            assert!(
                view["note"].as_str().unwrap().contains(said),
                "{}",
                view["note"]
            );
            let apart: Vec<usize> = serde_json::from_value(view["apart"].clone()).unwrap();
            for (n, c) in uvg().curves.iter().enumerate() {
                assert_eq!(
                    apart.contains(&n),
                    c.size != Some((1920, height)),
                    "{height}: {}",
                    c.name
                );
            }
        }
    }
    // one sequence of another size, and the average compares with nothing
    let mut p = measured(1080);
    p.iter_mut().take(3).for_each(|p| p.row.height = 960);
    let d = data_of(
        &written(&ReportInput {
            published: true,
            ..input(&p, &[])
        })
        .0,
    );
    assert_eq!(
        d["views"][7]["apart"].as_array().unwrap().len(),
        uvg().curves.len()
    );
    assert!(
        d["views"][7]["note"]
            .as_str()
            .unwrap()
            .contains("do not compare")
            && d["views"][1]["apart"].as_array().unwrap().len() < 20
    );
    // alone there is nothing to compare with
    let d = data_of(
        &written(&ReportInput {
            published: true,
            ..input(&[], &[])
        })
        .0,
    );
    assert_eq!(d["views"][0]["apart"], serde_json::json!([]));
}
