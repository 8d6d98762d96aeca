//! Texts in pictures.

/// The approximate width of a character in twentieths of the font size.
fn width(c: char) -> u32 {
    match c {
        '\u{300}'..='\u{36F}' | '\u{200B}'..='\u{200D}' | '\u{FE00}'..='\u{FE0F}' => 0,
        'i' | 'l' | 'j' | '.' | ',' | ':' | ';' | '!' | '|' | '\'' | ' ' => 6,
        'W' | 'm' | '@' | '%' => 20,
        'M' | 'w' => 17,
        'A'..='Z' => 13,
        '\u{1100}'..='\u{11FF}'
        | '\u{2E80}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{FF00}'..='\u{FF60}'
        | '\u{1F000}'.. => 20,
        _ => 12,
    }
}

/// Cuts a text to a width of `ems` font sizes, and puts an ellipsis where it was cut.
pub fn fit(text: &str, ems: f64) -> String {
    let limit = (ems * 20.0) as u32;
    if text.chars().map(width).sum::<u32>() <= limit {
        return text.to_owned();
    }
    let mut used = 20;
    let mut cut: String = text
        .chars()
        .take_while(|c| {
            used += width(*c);
            used <= limit
        })
        .collect();
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_and_short_ones_are_not() {
        assert_eq!(fit("Player01", 10.0), "Player01");
        let long = fit(&"W".repeat(36), 10.0);
        assert!(long.ends_with('…') && long.chars().count() < 14, "{long}");
        assert!(fit(&"漢".repeat(36), 10.0).chars().count() <= 10);
    }
}
