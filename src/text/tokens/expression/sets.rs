//! Sets of characters.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// A set of characters.
#[derive(Debug, Default, Clone)]
pub(in super::super) struct Set {
    pub(super) items: Vec<Item>,
    pub(super) negated: bool,
    /// Whether large and small letters are the same.
    pub(super) folded: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Item {
    Range(char, char),
    Category(GeneralCategory),
    Group(GeneralCategoryGroup),
    Space,
    Word,
    Nested(Set),
}

impl Set {
    pub(in super::super) fn contains(&self, c: char) -> bool {
        let within = |c: char| self.items.iter().any(|item| item.contains(c));
        (within(c) || self.folded && (within(fold(c)) || c.to_uppercase().any(within)))
            != self.negated
    }
}

/// A small letter for all letters that are the same but for their size.
fn fold(c: char) -> char {
    let mut large = c.to_uppercase();
    let c = match (large.next(), large.next()) {
        (Some(large), None) => large,
        _ => c,
    };
    let mut small = c.to_lowercase();
    match (small.next(), small.next()) {
        (Some(small), None) => small,
        _ => c,
    }
}

impl Item {
    fn contains(&self, c: char) -> bool {
        match self {
            Item::Range(from, to) => (*from..=*to).contains(&c),
            Item::Category(category) => c.general_category() == *category,
            Item::Group(group) => c.general_category_group() == *group,
            Item::Space => c.is_whitespace(),
            Item::Word => {
                let group = c.general_category_group();
                matches!(
                    group,
                    GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark
                ) || matches!(
                    c.general_category(),
                    GeneralCategory::DecimalNumber | GeneralCategory::ConnectorPunctuation
                )
            }
            Item::Nested(set) => set.contains(c),
        }
    }
}
