//! The colours of the picture.

use std::fmt;

use askama::filters::HtmlSafe;

/// Which colours a picture has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Theme {
    /// Light, and dark if the viewer's system is dark (only in an SVG; a PNG is light).
    #[default]
    Auto,
    /// Always dark.
    Dark,
}

/// A colour, by what it is used for. Those of the states and marks are from the palette of Okabe and Ito, which people with
/// colour blindness can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Background,
    Lane,
    Ink,
    Dim,
    Grid,
    Alive,
    Wounded,
    Waiting,
    Revive,
    Kill,
    Pause,
    End,
}

impl Colour {
    pub(super) const ALL: [Self; 12] = [
        Self::Background,
        Self::Lane,
        Self::Ink,
        Self::Dim,
        Self::Grid,
        Self::Alive,
        Self::Wounded,
        Self::Waiting,
        Self::Revive,
        Self::Kill,
        Self::Pause,
        Self::End,
    ];

    /// Its name in the style sheet, and the light and the dark colour.
    fn values(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Background => ("bg", "#ffffff", "#16191d"),
            Self::Lane => ("lane", "#f1f3f5", "#22272d"),
            Self::Ink => ("ink", "#1b1f24", "#e8eaed"),
            Self::Dim => ("dim", "#555d66", "#aab2bb"),
            Self::Grid => ("grid", "#cfd4da", "#3b424a"),
            Self::Alive => ("alive", "#56b4e9", "#56b4e9"),
            Self::Wounded => ("wounded", "#e69f00", "#e69f00"),
            Self::Waiting => ("waiting", "#7a3b69", "#cc79a7"),
            Self::Revive => ("revive", "#006d4e", "#00c896"),
            Self::Kill => ("kill", "#1b1f24", "#ffffff"),
            Self::Pause => ("pause", "#9aa3ad", "#6d7680"),
            Self::End => ("end", "#b23c00", "#ff8a50"),
        }
    }

    pub(super) fn class(self) -> &'static str {
        self.values().0
    }

    pub(super) fn dark(self) -> &'static str {
        self.values().2
    }

    pub(super) fn in_theme(self, theme: Theme) -> &'static str {
        let (_, light, dark) = self.values();
        match theme {
            Theme::Auto => light,
            Theme::Dark => dark,
        }
    }

    /// The attributes of a shape or text that is filled with this colour.
    pub(super) fn fill(self, theme: Theme) -> Paint {
        Paint {
            attribute: "fill",
            colour: self,
            theme,
        }
    }

    /// The attributes of a line in this colour.
    pub(super) fn stroke(self, theme: Theme) -> Paint {
        Paint {
            attribute: "stroke",
            colour: self,
            theme,
        }
    }
}

/// A colour as attributes of an SVG element: the colour itself, which every viewer and the PNG use, and a class by which
/// the style sheet replaces it on a dark screen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    attribute: &'static str,
    colour: Colour,
    theme: Theme,
}

impl fmt::Display for Paint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            attribute,
            colour,
            theme,
        } = *self;
        let (prefix, class) = (&attribute[..1], colour.class());
        write!(
            f,
            "class=\"{prefix}-{class}\" {attribute}=\"{}\"",
            colour.in_theme(theme)
        )
    }
}

/// Class names and colours are constants.
impl HtmlSafe for Paint {}
