//! The table of points.

use super::markdown::{md, table_head, table_line};
use crate::bench::metric::Metric;
use crate::bench::row::Row;

/// Head of a column, and its text of a row.
pub type Column = (String, Box<dyn Fn(&Row) -> String>);

/// The columns of the table of points: head, text of a row; those of quality only where a row has
/// the figure.
pub fn point_columns(rows: &[&Row]) -> Vec<Column> {
    fn column(head: &str, f: impl Fn(&Row) -> String + 'static) -> Column {
        (head.to_string(), Box::new(f))
    }
    let optional = |v: Option<String>| v.unwrap_or_else(|| "n/a".into());
    let mut out = vec![
        column("sequence", |r| r.sequence.clone()),
        column("curve", |r| {
            r.curve() + if r.weak == "yes" { " (weak)" } else { "" }
        }),
        column("point", |r| r.point.clone()),
        column("frames", |r| r.frames.to_string()),
        column("bytes", |r| r.bytes.to_string()),
        column("bpp", |r| format!("{:.4}", r.bpp)),
    ];
    for m in Metric::ALL
        .into_iter()
        .filter(|m| rows.iter().any(|r| m.of(r).is_some()))
    {
        out.push(column(m.name(), move |r| {
            optional(m.of(r).map(|v| m.format(v)))
        }));
    }
    out.push(column("enc s", |r| format!("{:.1}", r.enc_s)));
    out.push(column("dec fps", move |r| {
        optional((r.dec_s > 0.0).then(|| format!("{:.1}", r.frames as f64 / r.dec_s)))
    }));
    type Figure = fn(&Row) -> Option<f64>;
    let figures: [(&str, Figure); 3] = [
        ("enc cpu s", |r| r.enc_cpu_s),
        ("enc MB", |r| r.enc_mb),
        ("dec MB", |r| r.dec_mb),
    ];
    for (head, f) in figures
        .into_iter()
        .filter(|(_, f)| rows.iter().any(|r| f(r).is_some()))
    {
        out.push(column(head, move |r| {
            f(r).map_or(String::new(), |v| format!("{v:.0}"))
        }));
    }
    if rows.iter().any(|r| r.params.is_some()) {
        out.push(column("params", |r| {
            r.params.map_or(String::new(), |p| p.to_string())
        }));
    }
    if rows.iter().any(|r| r.macs_per_pixel.is_some()) {
        out.push(column("MAC/px", |r| {
            r.macs_per_pixel
                .map_or(String::new(), |p| format!("{p:.0}"))
        }));
    }
    if rows.iter().any(|r| !r.note.is_empty()) {
        out.push(column("note", |r| r.note.clone()));
    }
    out
}

/// Columns of [`point_columns`] that hold text, not figures.
pub fn is_text(head: &str) -> bool {
    ["sequence", "curve", "point", "note"].contains(&head)
}

/// All points in Markdown.
pub fn points(rows: &[&Row]) -> String {
    let columns = point_columns(rows);
    let mut out = String::new();
    table_head(
        &mut out,
        &columns.iter().map(|c| c.0.clone()).collect::<Vec<_>>(),
        3,
    );
    for row in rows {
        table_line(&mut out, columns.iter().map(|c| md(&(c.1)(row))));
    }
    out
}
