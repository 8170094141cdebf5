//! The names of sets of characters, as expressions have them.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup};

use super::sets::Item;

/// The set that a name stands for, without brackets.
pub(super) fn property(name: &str) -> Option<Item> {
    let group = group(name).map(Item::Group);
    group.or_else(|| category(name).map(Item::Category))
}

fn group(name: &str) -> Option<GeneralCategoryGroup> {
    Some(match name {
        "L" | "Letter" => GeneralCategoryGroup::Letter,
        "M" | "Mark" => GeneralCategoryGroup::Mark,
        "N" | "Number" => GeneralCategoryGroup::Number,
        "P" | "Punctuation" => GeneralCategoryGroup::Punctuation,
        "S" | "Symbol" => GeneralCategoryGroup::Symbol,
        "Z" | "Separator" => GeneralCategoryGroup::Separator,
        "C" | "Other" => GeneralCategoryGroup::Other,
        _ => return None,
    })
}

fn category(name: &str) -> Option<GeneralCategory> {
    Some(match name {
        "Lu" => GeneralCategory::UppercaseLetter,
        "Ll" => GeneralCategory::LowercaseLetter,
        "Lt" => GeneralCategory::TitlecaseLetter,
        "Lm" => GeneralCategory::ModifierLetter,
        "Lo" => GeneralCategory::OtherLetter,
        "Mn" => GeneralCategory::NonspacingMark,
        "Mc" => GeneralCategory::SpacingMark,
        "Me" => GeneralCategory::EnclosingMark,
        "Nd" => GeneralCategory::DecimalNumber,
        "Nl" => GeneralCategory::LetterNumber,
        "No" => GeneralCategory::OtherNumber,
        "Pc" => GeneralCategory::ConnectorPunctuation,
        "Pd" => GeneralCategory::DashPunctuation,
        "Sm" => GeneralCategory::MathSymbol,
        "Sc" => GeneralCategory::CurrencySymbol,
        "So" => GeneralCategory::OtherSymbol,
        "Zs" => GeneralCategory::SpaceSeparator,
        "Cc" => GeneralCategory::Control,
        "Cf" => GeneralCategory::Format,
        _ => return None,
    })
}
