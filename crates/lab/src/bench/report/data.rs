//! What the page's script reads.

use serde_json::{Map, Value, json};

use super::content::Content;
use super::pictures::Pictures;
use super::published::{shown, style};
use crate::bench::published::uvg;

/// JSON that can stand within a script element: no `<` in it, so that nothing ends the element.
pub fn script_json(content: &Content, pictures: &Pictures) -> String {
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
