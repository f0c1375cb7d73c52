//! Tables and text in Markdown.

/// Head of a table whose first `text` columns are left-aligned and the others right-aligned.
pub fn table_head(out: &mut String, heads: &[String], text: usize) {
    table_line(out, heads.iter().cloned());
    table_line(
        out,
        (0..heads.len()).map(|i| {
            if i < text {
                "---".to_string()
            } else {
                "---:".into()
            }
        }),
    );
}

pub fn table_line(out: &mut String, cells: impl Iterator<Item = String>) {
    *out += &format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
}

/// Text that Markdown must take as it is, in one line.
pub fn md(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
