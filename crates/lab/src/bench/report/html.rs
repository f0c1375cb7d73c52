//! The page: everything that stands in it without a script.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::content::{Content, Kind};
use super::data;
use super::pictures::Pictures;
use crate::bench::metric::Metric;
use crate::bench::published::uvg;
use crate::bench::row::{Bytes, Row};
use crate::bench::tables::{BdTable, Cell, is_text, percent, point_columns};

/// Text as HTML shows it, in content and in quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // what no HTML document may hold
            c if c.is_control() && !matches!(c, '\n' | '\t') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// The whole file.
pub(super) fn page(content: &Content, plots: &[(String, String)], pictures: &Pictures) -> String {
    let input = content.input;
    let facts = [
        ("Measured", &input.date),
        ("Machine", &input.machine),
        ("Command", &input.command),
    ];
    let facts: String = facts
        .iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(name, text)| {
            let text = escape(text);
            let text = if *name == "Command" {
                format!("<code>{text}</code>")
            } else {
                text
            };
            format!("<dt>{name}</dt><dd>{text}</dd>\n")
        })
        .collect();
    let bits = bits(content);
    let shown = pictures_section(content, pictures);
    let published = published(content);
    let sections = [
        ("bd", "BD-rate", true),
        ("curves", "Rate and quality", true),
        ("bits", "Bits by part", !bits.is_empty()),
        ("pictures", "Decoded frames", !shown.is_empty()),
        ("points", "All points", true),
        ("published", "Published points", !published.is_empty()),
        ("definitions", "What the figures are", true),
    ];
    let nav: String = sections
        .iter()
        .filter(|s| s.2)
        .map(|(id, name, _)| format!("<a href=\"#{id}\">{name}</a>\n"))
        .collect();
    let svgs: String = plots.iter().map(|(_, svg)| svg.as_str()).collect();
    fill(
        include_str!("assets/template.html"),
        &[
            ("title", &escape(&input.title)),
            ("css", include_str!("assets/report.css")),
            ("description", &description(input.description)),
            ("remarks", &list("remarks", input.remarks)),
            ("facts", &facts),
            ("nav", &nav),
            ("warnings", &list("warnings", &pictures.warnings)),
            ("bd", &bd_tables(content)),
            ("plots", &svgs),
            ("bits", &bits),
            ("pictures", &shown),
            ("points", &points(content)),
            ("published", &published),
            ("definitions", &definitions(content)),
            ("version", env!("CARGO_PKG_VERSION")),
            ("data", &data::script_json(content, pictures)),
            ("js", include_str!("assets/report.js")),
        ],
    )
}

/// `{{name}}` in the template replaced, once: what is put in is not looked at again.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out =
        String::with_capacity(template.len() + values.iter().map(|v| v.1.len()).sum::<usize>());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        out.push_str(values.iter().find(|v| v.0 == name).map_or("", |v| v.1));
        rest = after;
    }
    out + rest
}

fn description(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() {
        String::new()
    } else {
        format!("<p class=\"description\">{}</p>", escape(text))
    }
}

fn list(class: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let list: String = lines
        .iter()
        .map(|l| format!("<li>{}</li>\n", escape(l)))
        .collect();
    format!("<div class=\"{class}\"><ul>\n{list}</ul></div>")
}

fn name(curve: &str, weak: bool) -> String {
    escape(curve)
        + if weak {
            " <span class=\"weak\">(weak)</span>"
        } else {
            ""
        }
}

fn bd_tables(content: &Content) -> String {
    let measured: Vec<Metric> = content
        .metrics
        .iter()
        .copied()
        .filter(|m| content.rows.iter().any(|r| m.of(r).is_some()))
        .collect();
    if content.rows.is_empty() || measured.is_empty() {
        return "<p>No point has a figure of quality.</p>".into();
    }
    let mut out = format!(
        "<p>Rate that a codec needs beyond the anchor's for the same quality, in percent: <span class=\"less\">negative is less</span>, \
         <span class=\"more\">positive more</span>. The anchor is <b>{}</b>; curves by {}, averaged over the qualities that both reach.</p>\n",
        escape(content.input.anchor),
        content.input.method.name(),
    );
    for (n, metric) in measured.into_iter().enumerate() {
        match BdTable::new(
            &content.rows,
            content.input.anchor,
            metric,
            content.input.method,
        ) {
            Ok(table) => {
                let open = if n == 0 { " open" } else { "" };
                out += &format!(
                    "<details{open}><summary>At equal {}</summary>\n{}</details>\n",
                    metric.name(),
                    bd_table(&table)
                );
            }
            Err(e) => return format!("<p>{}</p>", escape(&e.to_string())),
        }
    }
    out
}

fn bd_table(table: &BdTable) -> String {
    let key = table.metric.key();
    let head: String = table
        .sequences
        .iter()
        .map(|s| format!("<th>{}</th>", escape(s)))
        .collect();
    let value = |percent: Option<f64>, text: String, note: Option<usize>| {
        let class = match percent {
            Some(v) if v < -0.05 => "less",
            Some(v) if v > 0.05 => "more",
            Some(_) => "",
            None => "na",
        };
        let note = note.map_or(String::new(), |n| {
            format!("<sup><a href=\"#note-{key}-{n}\">{n}</a></sup>")
        });
        format!("<td class=\"{class}\">{text}{note}</td>")
    };
    let mut out = format!(
        "<div class=\"scroll\"><table class=\"bd\" id=\"bd-{key}\"><thead><tr><th class=\"text\">curve</th>{head}<th>mean (n = {})</th></tr></thead><tbody>\n",
        table.common.len()
    );
    for line in &table.lines {
        let cells: String = line
            .cells
            .iter()
            .map(|c: &Cell| value(c.percent, c.text(), c.note))
            .collect();
        out += &format!(
            "<tr><th>{}</th>{cells}{}</tr>\n",
            name(&line.curve, line.weak),
            value(line.mean, percent(line.mean), None)
        );
    }
    out += "</tbody></table></div>\n";
    if !table.notes.is_empty() {
        let notes = table
            .notes
            .iter()
            .enumerate()
            .map(|(n, t)| format!("<li id=\"note-{key}-{}\">{}</li>\n", n + 1, escape(t)));
        out += &format!("<ol class=\"notes\">\n{}</ol>\n", notes.collect::<String>());
    }
    if table.common.len() < table.sequences.len() {
        let over = if table.common.is_empty() {
            "no sequence".into()
        } else {
            table.common.join(", ")
        };
        out += &format!(
            "<p class=\"note\">The mean is over sequences on which every curve with a figure has one: {}.</p>\n",
            escape(&over)
        );
    }
    out
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// Bars of the parts of every file that has them.
fn bits(content: &Content) -> String {
    let mut out = String::new();
    for (number, view) in content
        .views
        .iter()
        .enumerate()
        .filter(|(_, v)| v.kind == Kind::Sequence)
    {
        let files: Vec<_> = content
            .rows_of(view)
            .into_iter()
            .filter_map(|(row, p)| Some((row, p?.parts?)))
            .filter(|(_, b)| total(b) > 0)
            .collect();
        let Some(most) = files.iter().map(|(_, b)| total(b)).max() else {
            continue;
        };
        out += &format!(
            "<div data-view=\"{number}\"><h3>{}</h3><div class=\"bits\">\n",
            escape(&view.name)
        );
        for (row, b) in files {
            let parts = [
                ("header", b.header),
                ("weights", b.weights),
                ("latents", b.latents),
            ];
            let all = total(&b);
            let bars: String = parts
                .iter()
                .map(|(part, bytes)| {
                    let share = *bytes as f64 * 100.0 / all as f64;
                    format!("<i class=\"{part}\" style=\"width:{share:.2}%\" title=\"{part}: {bytes} B, {share:.1} %\"></i>")
                })
                .collect();
            let text: Vec<String> = parts
                .iter()
                .map(|(part, bytes)| format!("{part} {}", size(*bytes)))
                .collect();
            out += &format!(
                "<div class=\"label\">{} {}</div><div><div class=\"stack\" style=\"width:{:.2}%\">{bars}</div><small>{} = {}</small></div>\n",
                escape(&row.curve()),
                escape(&row.point),
                all as f64 * 100.0 / most as f64,
                size(all),
                text.join(" + "),
            );
        }
        out += "</div></div>\n";
    }
    if out.is_empty() {
        return out;
    }
    let key = ["header", "weights", "latents"]
        .map(|p| format!("<i class=\"{p}\"></i>{p}"))
        .concat();
    format!(
        "<section id=\"bits\">\n<h2>Bits by part</h2>\n<p class=\"key\">Where the bytes of a file went:{key}</p>\n{out}\
         <p class=\"note\" id=\"no-bits\" hidden>No file of the sequence chosen above tells its parts.</p>\n</section>"
    )
}

fn total(b: &Bytes) -> u64 {
    b.header.saturating_add(b.weights).saturating_add(b.latents)
}

fn pictures_section(content: &Content, pictures: &Pictures) -> String {
    let beside = beside(content, pictures);
    if pictures.shown.is_empty() {
        return if beside.is_empty() {
            beside
        } else {
            format!("<section id=\"pictures\">\n<h2>Decoded frames</h2>\n{beside}</section>")
        };
    }
    let mut gallery = String::new();
    for p in &pictures.shown {
        let view = &content.views[p.view].name;
        gallery += &format!(
            "<figure><img id=\"pic-{}\" loading=\"lazy\" alt=\"{}\" src=\"data:image/png;base64,{}\"><figcaption>{}: {}</figcaption></figure>\n",
            p.id,
            escape(&format!("{view}: {}", p.label)),
            BASE64_STANDARD.encode(&p.png),
            escape(view),
            escape(&p.label),
        );
    }
    fill(COMPARE, &[("gallery", &gallery), ("beside", &beside)])
}

/// Names of the pictures that are not in the file.
fn beside(content: &Content, pictures: &Pictures) -> String {
    if pictures.beside.is_empty() {
        return String::new();
    }
    let (left, all) = (
        pictures.beside.len(),
        pictures.beside.len() + pictures.shown.len(),
    );
    let list: String = pictures
        .beside
        .iter()
        .map(|b| {
            let (view, label) = (escape(&content.views[b.view].name), escape(&b.label));
            format!(
                "<li>{view}: {label}: <code>{}</code></li>\n",
                escape(&b.path.display().to_string())
            )
        })
        .collect();
    format!(
        "<p class=\"note\" id=\"left-out\">{left} of {all} pictures are not in this file, to keep it below {} of pictures. They are beside it \
         in its folder.</p>\n<details><summary>Pictures beside this file</summary>\n<ul class=\"beside\">\n{list}</ul></details>\n",
        size(content.input.picture_budget),
    )
}

/// The comparison of two pictures, and all pictures below it.
const COMPARE: &str = r#"<section id="pictures">
<h2>Decoded frames</h2>
<div class="js" hidden>
<div class="controls">
<label>Sequence <select id="picture-view"></select></label>
<label>Left <select id="left"></select></label>
<label>Right <select id="right"></select></label>
<label>View <select id="mode"><option value="wipe">slider</option><option value="difference">difference</option><option value="side">side by side</option></select></label>
<label>Zoom <select id="zoom"><option value="0">fit</option><option value="1">1:1</option><option value="2">2:1</option><option value="4">4:1</option></select></label>
<label id="amplify-label" hidden>Amplified <input type="range" id="amplify" min="1" max="32" value="8"> <output id="amplify-value">8×</output></label>
</div>
<div class="stage" id="stage"><div class="sheet"><canvas id="canvas"></canvas><div id="border"></div></div></div>
<input type="range" id="wipe" min="0" max="1000" value="500" aria-label="Border between left and right picture">
<div class="captions"><span id="left-caption"></span><span id="right-caption"></span></div>
<p class="note" id="picture-error" hidden>A picture could not be shown.</p>
</div>
<details><summary>All pictures</summary>
<div class="gallery">
{{gallery}}</div></details>
{{beside}}</section>"#;

fn points(content: &Content) -> String {
    let rows: &[&Row] = &content.rows;
    if rows.is_empty() {
        return "<p>There are no points.</p>".into();
    }
    let columns = point_columns(rows);
    let head: String = columns
        .iter()
        .map(|(h, _)| {
            if is_text(h) {
                format!("<th class=\"text\">{h}</th>")
            } else {
                format!("<th>{h}</th>")
            }
        })
        .collect();
    let mut out = format!(
        "<div class=\"scroll\"><table id=\"point-table\"><thead><tr>{head}<th class=\"text\">how</th></tr></thead><tbody>\n"
    );
    for row in rows {
        let cells = columns.iter().map(|(h, f)| {
            let class = match h.as_str() {
                "note" => " class=\"text note-cell\"",
                h if is_text(h) => " class=\"text\"",
                _ => "",
            };
            format!("<td{class}>{}</td>", escape(&f(row)))
        });
        let places = format!(
            "encoded on {}, decoded on {}",
            or_unknown(&row.enc_device),
            or_unknown(&row.dec_device)
        );
        let jobs = if row.jobs > 1 {
            format!(", {} points at a time", row.jobs)
        } else {
            String::new()
        };
        let version = [&row.version, &row.git]
            .into_iter()
            .filter(|t| !t.is_empty())
            .map(|t| escape(t))
            .collect::<Vec<_>>()
            .join(", ");
        out += &format!(
            "<tr>{}<td class=\"cmd\"><details><summary>command</summary><code>{}</code><br>{version}<br>{}{jobs}</details></td></tr>\n",
            cells.collect::<String>(),
            escape(&row.command),
            escape(&places),
        );
    }
    out + "</tbody></table></div>"
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() {
        "an unknown device"
    } else {
        text
    }
}

fn published(content: &Content) -> String {
    if !content.input.published {
        return String::new();
    }
    let data = uvg();
    let sources: String = data
        .sources
        .values()
        .map(|s| {
            let terms = escape(&s.licence);
            format!(
                "<li><a href=\"{}\">{}</a> ({terms}). {}</li>\n",
                escape(&s.url),
                escape(&s.title),
                escape(&s.note)
            )
        })
        .collect();
    let rows: String = data
        .curves
        .iter()
        .map(|c| {
            let points: Vec<String> = c.bpp.iter().zip(&c.psnr).map(|(b, p)| format!("{b:.4}/{p:.2}")).collect();
            let source = data.sources.get(&c.source).map_or("", |s| s.title.split(',').next().unwrap_or(""));
            format!(
                "<tr><td class=\"text\">{}</td><td class=\"text\"><a href=\"{}\">{}</a>{}</td><td class=\"text\">{}</td>\
                 <td class=\"text\">{}</td><td class=\"text note-cell\">{}</td><td class=\"cmd\"><code>{}</code></td></tr>\n",
                escape(&c.sequence),
                escape(&c.reference),
                escape(&c.name),
                if c.weak { " <span class=\"weak\">(weak)</span>" } else { "" },
                escape(source),
                escape(&c.size_text()),
                escape(&c.note),
                points.join(" "),
            )
        })
        .collect();
    format!(
        "<section id=\"published\">\n<h2>Published points</h2>\n<p>Not measured here, but taken from public tables: {}, {}. They are drawn dashed \
         where that sequence, or the average of all seven, is chosen above and the metric is {}; also on their own, as the last entry of the \
         sequences, where the average was not measured.</p>\n<ul>\n{sources}</ul>\n<details><summary>All {} curves, as bpp/dB</summary>\n\
         <div class=\"scroll\"><table><thead><tr><th class=\"text\">sequence</th><th class=\"text\">codec</th><th class=\"text\">table</th>\
         <th class=\"text\">pictures</th><th class=\"text\">note</th><th class=\"text\">points</th></tr></thead><tbody>\n{rows}</tbody></table></div></details>\n</section>",
        escape(&data.dataset),
        escape(&data.definition),
        data.metric().map_or("", Metric::name),
        data.curves.len(),
    )
}

fn definitions(content: &Content) -> String {
    let metrics = content.metrics.iter().map(|m| (m.name(), m.definition()));
    let others = [
        (
            "bpp",
            "Bits of the file over luma samples of all coded frames. The file is the whole one of nvc and of still-picture codecs, the \
             elementary stream without the encoder's own description elsewhere.",
        ),
        (
            "BD-rate",
            "Mean difference of the logarithm of the rate at equal quality, as percent (Bjøntegaard). Exact integrals of the interpolants \
             over the qualities that both curves reach, never beyond; n/a with its reason where those are less than half of the shorter \
             curve's, or a curve has too few points or does not rise. A note tells where another interpolation differs by more than a point.",
        ),
        (
            "enc s",
            "Wall-clock seconds of encoding all frames on the device that the point's details name.",
        ),
        ("dec fps", "Frames over wall-clock seconds of decoding."),
        (
            "(weak)",
            "A setting that the encoder's own authors would not use to compress well: one from the literature, such as no B-frames, or a \
             preset made for speed alone.",
        ),
    ];
    let list: String = metrics
        .chain(others)
        .map(|(name, text)| format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(text)))
        .collect();
    format!("<dl class=\"defs\">\n{list}</dl>")
}
