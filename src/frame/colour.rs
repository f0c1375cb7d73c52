//! What is known of a sequence's colour; it changes no sample.

/// Colour description by the code points of ITU-T H.273 (CICP).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColorInfo {
    /// ColourPrimaries; 2 = unspecified.
    pub primaries: u8,
    /// TransferCharacteristics; 2 = unspecified.
    pub transfer: u8,
    /// MatrixCoefficients; 2 = unspecified.
    pub matrix: u8,
    /// Sample range.
    pub range: Range,
    /// Place of the chroma samples of 4:2:0.
    pub siting: Siting,
    /// Brightness of display and content, of HDR sequences.
    pub light: Option<LightInfo>,
}

/// Sample value range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// The source did not say; conversions take it as limited (full for RGB and gray).
    Unspecified,
    /// 16..235 luma, 16..240 chroma (8 bit).
    Limited,
    /// 0..255.
    Full,
}

/// Where a chroma sample of 4:2:0 lies among the two by two luma samples it belongs to:
/// ChromaSampleLocType of ITU-T H.273, plus 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Siting {
    /// The source did not say.
    #[default]
    Unspecified = 0,
    /// On the left column, between the rows.
    Left = 1,
    /// In the middle of the four.
    Center = 2,
    /// On the upper left sample.
    TopLeft = 3,
    /// On the upper row, between the columns.
    Top = 4,
    /// On the lower left sample.
    BottomLeft = 5,
    /// On the lower row, between the columns.
    Bottom = 6,
}

impl Siting {
    /// All of them, each at the index that is its code in the bitstream (spec section 3.1).
    pub const ALL: [Siting; 7] = [
        Siting::Unspecified,
        Siting::Left,
        Siting::Center,
        Siting::TopLeft,
        Siting::Top,
        Siting::BottomLeft,
        Siting::Bottom,
    ];

    /// A word for it, as `top-left`.
    pub fn name(self) -> &'static str {
        [
            "unspecified",
            "left",
            "centre",
            "top-left",
            "top",
            "bottom-left",
            "bottom",
        ][self as usize]
    }
}

/// What a display with another range of brightness wants to know (the static metadata of HDR10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LightInfo {
    /// The display that the sequence was made on.
    pub mastering: Option<Mastering>,
    /// How bright the sequence is.
    pub content: Option<ContentLight>,
}

/// Mastering display colour volume of SMPTE ST 2086. Chromaticities are x and y in units of
/// 0.00002.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mastering {
    /// Green primary.
    pub green: [u16; 2],
    /// Blue primary.
    pub blue: [u16; 2],
    /// Red primary.
    pub red: [u16; 2],
    /// White point.
    pub white: [u16; 2],
    /// Luminance of white, in units of 0.0001 cd/m2.
    pub max_luminance: u32,
    /// Luminance of black, in units of 0.0001 cd/m2.
    pub min_luminance: u32,
}

/// Content light level, in cd/m2; 0 where unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentLight {
    /// MaxCLL: the brightest pixel.
    pub max_cll: u16,
    /// MaxFALL: the average of the brightest frame.
    pub max_fall: u16,
}

impl ColorInfo {
    /// What two descriptions say differently, where both say something of it; `None` if nothing.
    pub fn differences(&self, other: &Self) -> Option<String> {
        let code = |what: &str, a: u8, b: u8| {
            (a != b && a != 2 && b != 2).then(|| format!("{what} ({a} and {b})"))
        };
        let range = |r: Range| match r {
            Range::Unspecified => "unspecified",
            Range::Limited => "limited",
            Range::Full => "full",
        };
        // samples of unspecified range are taken as limited
        let full = |r: Range| r == Range::Full;
        let ranges = (full(self.range) != full(other.range))
            .then(|| format!("range ({} and {})", range(self.range), range(other.range)));
        let siting = (self.siting != other.siting
            && ![self.siting, other.siting].contains(&Siting::Unspecified))
        .then(|| {
            format!(
                "chroma siting ({} and {})",
                self.siting.name(),
                other.siting.name()
            )
        });
        let all = [
            ranges,
            siting,
            code("matrix", self.matrix, other.matrix),
            code("primaries", self.primaries, other.primaries),
            code("transfer", self.transfer, other.transfer),
        ];
        let all: Vec<String> = all.into_iter().flatten().collect();
        (!all.is_empty()).then(|| all.join(", "))
    }

    /// Nothing known.
    pub const UNSPECIFIED: ColorInfo = ColorInfo {
        primaries: 2,
        transfer: 2,
        matrix: 2,
        range: Range::Unspecified,
        siting: Siting::Unspecified,
        light: None,
    };
}
