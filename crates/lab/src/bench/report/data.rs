//! What the page's script reads.

use serde_json::{Map, Value, json};

use super::{Content, Pictures};
use crate::bench::published::{Published, uvg};

/// Published curves that are drawn without being asked for, where there are many.
const SHOWN: &[&str] = &[
    "C3 (adaptive)",
    "HM 18.0 random access",
    "VTM 17.0 random access",
    "x265 medium, no B-frames",
    "HiNeRV",
    "FFNeRV",
    "HNeRV",
    "HNeRV (authors, 1920x960)",
    "NeRV",
];

pub(super) fn shown(curve: &Published) -> bool {
    SHOWN.contains(&curve.name.as_str())
}

/// Number of the curve's colour and marker: the same on every sequence.
pub(super) fn style(curve: &Published) -> usize {
    let mut names: Vec<&str> = Vec::new();
    for c in &uvg().curves {
        if !names.contains(&c.name.as_str()) {
            names.push(&c.name);
        }
    }
    names.iter().position(|n| *n == curve.name).unwrap_or(0)
}

/// JSON that can stand within a script element: no `<` in it, so that nothing ends the element.
pub(super) fn script_json(content: &Content, pictures: &Pictures) -> String {
    value(content, pictures)
        .to_string()
        .replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

fn value(content: &Content, pictures: &Pictures) -> Value {
    let curves = content.curves();
    let metrics = content
        .metrics
        .iter()
        .map(|m| json!({"key": m.key(), "name": m.name(), "axis": m.axis()}));
    let views = content.views.iter().map(|view| {
        let points = content.rows_of(view).into_iter().map(|(row, point)| {
            let figures: Map<String, Value> = content
                .metrics
                .iter()
                .filter_map(|m| Some((m.key().to_string(), m.of(row)?, m)))
                // an infinite dB of a perfect MS-SSIM cannot be drawn
                .filter(|(_, figure, m)| m.on_axis(*figure).is_finite())
                .map(|(key, figure, m)| (key, json!([figure, m.on_axis(figure)])))
                .collect();
            json!({
                "curve": curves.iter().position(|c| c.name == row.curve()),
                "point": row.point,
                "bpp": row.bpp,
                "q": figures,
                "enc_s": row.enc_s,
                "dec_fps": (point.is_some() && row.dec_s > 0.0).then(|| row.frames as f64 / row.dec_s),
                "progress": point.map_or(&[][..], |p| &p.progress[..]).iter().map(|p| [p.seconds, p.psnr]).collect::<Vec<_>>(),
            })
        });
        // by rate, as curves are drawn
        let mut points: Vec<Value> = points.collect();
        points.sort_by(|a, b| a["bpp"].as_f64().unwrap_or(0.0).total_cmp(&b["bpp"].as_f64().unwrap_or(0.0)));
        // published curves of other pictures, by number
        let apart: Vec<usize> = (0..uvg().curves.len()).filter(|&n| view.published.is_some() && !view.compares(&uvg().curves[n])).collect();
        json!({"name": view.name, "label": view.label, "note": view.note, "points": points, "published": view.published, "apart": apart})
    });
    let published = uvg().curves.iter().filter(|_| content.input.published).map(|p| {
        json!({
            "name": p.name, "sequence": p.sequence, "weak": p.weak, "note": p.note, "bpp": p.bpp, "psnr": p.psnr,
            "shown": shown(p), "style": style(p),
        })
    });
    json!({
        "metrics": metrics.collect::<Vec<_>>(),
        "curves": curves.iter().map(|c| json!({"name": c.name, "weak": c.weak})).collect::<Vec<_>>(),
        "views": views.collect::<Vec<_>>(),
        "published_metric": uvg().metric,
        "published": published.collect::<Vec<_>>(),
        "pictures": pictures.shown.iter().map(|p| json!({"id": p.id, "view": p.view, "label": p.label})).collect::<Vec<_>>(),
    })
}
