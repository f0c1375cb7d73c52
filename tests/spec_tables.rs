//! The tables of `bitstream-spec/README.md` are the code's: one source, two places, compared here.
//!
//! After a change to the code, `cargo test --test spec_tables -- --ignored` writes them anew.

use nvc::bitstream::Limits;
use nvc::bitstream::fields::spec_table;
use nvc::bitstream::header::{
    GroupHeader, HnervHeader, HnervStage, IndexEntry, NervHeader, NervppHeader, NirvanaHeader,
    PyramidHeader, SectionHeader, SequenceHeader,
};
use nvc::bitstream::light::{ContentFields, LightHeader, MasteringFields};
use nvc::entropy::laplace::{HALF_TAIL, RATE};
use nvc::entropy::normal::TAIL;
use nvc::network::tables::{FRAME_TURNS, GELU_BUMP, SINE, SWISH_BUMP, TANH};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bitstream-spec/README.md");

/// Limits of each level (section 7.2).
fn levels() -> String {
    type Of = fn(&Limits) -> u64;
    let rows: [(&str, Of); 6] = [
        ("luma samples of a frame, `width * height`", |l| {
            l.frame_samples
        }),
        ("`length` of a packet", |l| l.section_bytes),
        (
            "`values` of a group (3.3), of `arch` = 6 with its latents",
            |l| l.group_values,
        ),
        (
            "nodes of the graphs of a section, summed over its groups",
            |l| l.section_nodes,
        ),
        ("activations of a pass", |l| l.pass_activations),
        ("multiply-accumulates of a pass", |l| l.pass_macs),
    ];
    let cells = |cell: &dyn Fn(u32) -> String| -> String {
        (1..=Limits::LEVELS)
            .map(|l| format!(" {} |", cell(l)))
            .collect()
    };
    let mut out = format!("| quantity |{}\n", cells(&|l| l.to_string()));
    out += &format!("|---|{}\n", "---:|".repeat(Limits::LEVELS as usize));
    for (name, of) in rows {
        let power = |l| {
            let most = of(&Limits::of_level(l));
            assert!(most.is_power_of_two(), "{name} of level {l} is {most}");
            format!("2^{}", most.ilog2())
        };
        out += &format!("| {name} |{}\n", cells(&power));
    }
    out
}

/// Name of each marked part of the document and what must stand there.
fn parts() -> Vec<(&'static str, String)> {
    let table = |numbers: Vec<u32>, a_line: usize| {
        let line = |l: &[u32]| l.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
        format!(
            "```\n{}\n```\n",
            numbers
                .chunks(a_line)
                .map(line)
                .collect::<Vec<_>>()
                .join("\n")
        )
    };
    let short = |numbers: &[u16]| table(numbers.iter().map(|&v| v.into()).collect(), 16);
    vec![
        ("table SequenceHeader", spec_table(SequenceHeader::FIELDS)),
        ("table SectionHeader", spec_table(SectionHeader::FIELDS)),
        ("table GroupHeader", spec_table(GroupHeader::FIELDS)),
        ("table HnervHeader", spec_table(HnervHeader::FIELDS)),
        ("table HnervStage", spec_table(HnervStage::FIELDS)),
        ("table IndexEntry", spec_table(IndexEntry::FIELDS)),
        ("table NervHeader", spec_table(NervHeader::FIELDS)),
        ("table NervppHeader", spec_table(NervppHeader::FIELDS)),
        ("table NirvanaHeader", spec_table(NirvanaHeader::FIELDS)),
        ("table PyramidHeader", spec_table(PyramidHeader::FIELDS)),
        ("table LightHeader", spec_table(LightHeader::FIELDS)),
        ("table MasteringFields", spec_table(MasteringFields::FIELDS)),
        ("table ContentFields", spec_table(ContentFields::FIELDS)),
        ("table Levels", levels()),
        ("BUMP", short(&GELU_BUMP)),
        ("SWISH_BUMP", short(&SWISH_BUMP)),
        ("SINE", short(&SINE)),
        ("TANH", short(&TANH)),
        ("FRAME_TURNS", table(FRAME_TURNS.to_vec(), 16)),
        ("TAIL", table(TAIL.to_vec(), 12)),
        ("HALF_TAIL", table(HALF_TAIL.to_vec(), 12)),
        ("RATE", table(RATE.to_vec(), 10)),
    ]
}

/// Byte range of a part, between its marker and `<!-- end -->`.
fn place(text: &str, name: &str) -> std::ops::Range<usize> {
    let marker = format!("<!-- {name} -->\n");
    let start = text
        .find(&marker)
        .unwrap_or_else(|| panic!("the document has no '{name}'"))
        + marker.len();
    start
        ..start
            + text[start..]
                .find("<!-- end -->")
                .expect("every part has an end")
}

#[test]
fn tables_agree_with_the_code() {
    let text = std::fs::read_to_string(DOCUMENT).unwrap();
    for (name, wanted) in parts() {
        assert_eq!(
            &text[place(&text, name)],
            wanted,
            "part '{name}' of the document"
        );
    }
}

#[test]
#[ignore = "writes the document"]
fn regenerate() {
    let mut text = std::fs::read_to_string(DOCUMENT).unwrap();
    for (name, wanted) in parts() {
        text.replace_range(place(&text, name), &wanted);
    }
    std::fs::write(DOCUMENT, text).unwrap();
}
