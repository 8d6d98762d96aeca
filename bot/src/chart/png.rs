//! Renders an SVG to PNG. The fonts are part of the program, so a picture looks the same on every machine.

use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};
use skrifa::{FontRef, MetadataProvider};

static DEJAVU: &[u8] = include_bytes!("../../assets/fonts/DejaVuSans.ttf");
static DROID: &[u8] = include_bytes!("../../assets/fonts/DroidSansFallback-subset.ttf");
static NANUM: &[u8] = include_bytes!("../../assets/fonts/NanumSquareR.ttf");
static EMOJI: &[u8] = include_bytes!("../../assets/fonts/NotoEmoji.ttf");
/// In the order in which a character is looked up in them.
static ALL: [&[u8]; 4] = [DEJAVU, DROID, NANUM, EMOJI];

static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    for font in ALL {
        fonts.load_font_data(font.to_vec());
    }
    fonts.set_sans_serif_family("DejaVu Sans");
    Arc::new(fonts)
});

/// Larger pictures are refused, because each pixel takes four bytes of memory. The largest chart has 14 million.
const PIXELS_MAX: u64 = 16_000_000;

/// Why a picture could not be rendered.
#[derive(Debug, thiserror::Error)]
#[error("the picture cannot be rendered: {0}")]
pub struct PngError(String);

/// Whether one of the fonts contains a character.
fn is_covered(c: char) -> bool {
    static CHARMAPS: LazyLock<Vec<FontRef<'static>>> = LazyLock::new(|| {
        ALL.into_iter()
            .filter_map(|font| FontRef::new(font).ok())
            .collect()
    });
    c.is_ascii() || CHARMAPS.iter().any(|font| font.charmap().map(c).is_some())
}

/// Replaces characters that no font contains, which would become empty boxes. Joiners, variation selectors and skin tones only
/// change how other characters look, and are removed.
fn with_known_glyphs(svg: &str) -> String {
    svg.chars()
        .filter(|c| !matches!(*c, '\u{200B}'..='\u{200D}' | '\u{FE00}'..='\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}' | '\u{E0000}'..='\u{E01EF}'))
        .map(|c| match c {
            // The two letters of a flag's country. The font's glyphs for them are empty boxes.
            '\u{1F1E6}'..='\u{1F1FF}' => ('A'..='Z').nth(c as usize - 0x1F1E6).unwrap_or('\u{FFFD}'),
            c if is_covered(c) => c,
            _ => '\u{FFFD}',
        })
        .collect()
}

/// Renders an SVG at `scale` times its size.
///
/// # Errors
/// If the SVG cannot be parsed or is too large.
pub fn render(svg: &str, scale: f32) -> Result<Vec<u8>, PngError> {
    let options = Options {
        fontdb: Arc::clone(&FONTS),
        font_family: "DejaVu Sans".into(),
        ..Options::default()
    };
    let tree =
        Tree::from_str(&with_known_glyphs(svg), &options).map_err(|e| PngError(e.to_string()))?;
    let size = tree.size().to_int_size().scale_by(scale);
    let size = size.ok_or_else(|| PngError("it is too large".into()))?;
    let pixels = u64::from(size.width()) * u64::from(size.height());
    if pixels > PIXELS_MAX {
        return Err(PngError(format!(
            "{} x {} are more than {PIXELS_MAX} pixels",
            size.width(),
            size.height()
        )));
    }
    let mut pixmap = Pixmap::new(size.width(), size.height())
        .ok_or_else(|| PngError("there is not enough memory".into()))?;
    resvg::render(
        &tree,
        Transform::from_scale(scale, scale),
        &mut pixmap.as_mut(),
    );
    pixmap.encode_png().map_err(|e| PngError(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_that_is_too_high_is_refused() {
        let svg = |height: u64| {
            format!("<svg xmlns='http://www.w3.org/2000/svg' width='1000' height='{height}'/>")
        };
        assert!(render(&svg(100), 1.0).is_ok());
        let error = render(&svg(900_000), 1.0).unwrap_err().to_string();
        assert!(error.contains("1000 x 900000 are more than"), "{error}");
    }

    #[test]
    fn characters_that_no_font_contains_become_the_replacement_character() {
        assert!(is_covered('\u{FFFD}'), "the replacement itself");
        for c in "aéЖאعΩ日本語テスト中文한국어뷁😀🔥💀🦩❤".chars() {
            assert!(is_covered(c), "{c}");
        }
        assert_eq!(
            with_known_glyphs("<a>\u{1F0FF}x\u{200D}</a>"),
            "<a>\u{FFFD}x</a>"
        );
        assert_eq!(with_known_glyphs("👍🏽👩‍🚀🇩🇪"), "👍👩🚀DE");
    }
}
