//! Where in a reply a character stands: in running text, or where whoever renders the reply would send it away.

/// What a character is part of that names an address. Each is followed by itself, whatever the others take the text for:
/// a quote in a code block does not end what a renderer sees as an attribute.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// A bare address, to the next white space.
    address: bool,
    /// Parentheses that are open since `](`.
    target: u32,
    /// After `](`, before anything else.
    target_begins: bool,
    /// Within the `<…>` of a link's target.
    angle: bool,
    /// Whether the character before was a backslash that escapes the next, in a target.
    escaped: bool,
    definition: Definition,
    /// Which states of an HTML parser are possible, as bits of [`tag`].
    tag: u8,
    /// What may become a bare address.
    run: Run,
    /// The character before.
    before: char,
    /// Whether the line has had nothing but white space.
    blank: bool,
}

/// A link reference definition, `[x]: target`: to the end of the line that has the target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Definition {
    #[default]
    None,
    Empty,
    Begun,
}

/// What the characters since the last white space may become.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    /// A scheme's name ends here.
    scheme: bool,
    /// How much of `www.` ends here.
    www: u8,
    host: Host,
}

/// A host's name without a scheme, which becomes an address with what is behind it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Host {
    #[default]
    None,
    Label,
    Dot,
    Domain,
}

/// The states of an HTML tag (the tokenizer of the HTML standard, 13.2.5.8 and 13.2.5.32 to 13.2.5.39).
mod tag {
    pub const TAG_NAME: u8 = 1;
    pub const BEFORE_NAME: u8 = 2;
    pub const NAME: u8 = 4;
    pub const AFTER_NAME: u8 = 8;
    pub const BEFORE_VALUE: u8 = 16;
    pub const DOUBLE: u8 = 32;
    pub const SINGLE: u8 = 64;
    pub const UNQUOTED: u8 = 128;

    /// The state after a character, or none outside.
    pub fn next(state: u8, c: char) -> u8 {
        let white = c.is_ascii_whitespace();
        match (state, c) {
            (DOUBLE, '"') | (SINGLE, '\'') => BEFORE_NAME,
            (DOUBLE | SINGLE, _) => state,
            (_, '>') => 0,
            (BEFORE_VALUE, '"') => DOUBLE,
            (BEFORE_VALUE, '\'') => SINGLE,
            (BEFORE_VALUE, _) if white => BEFORE_VALUE,
            (BEFORE_VALUE, _) => UNQUOTED,
            (UNQUOTED | TAG_NAME, _) if white => BEFORE_NAME,
            (UNQUOTED, _) => UNQUOTED,
            (_, '/') => BEFORE_NAME,
            (TAG_NAME, _) => TAG_NAME,
            (NAME | AFTER_NAME, '=') => BEFORE_VALUE,
            (NAME | AFTER_NAME, _) if white => AFTER_NAME,
            (_, _) if white => state,
            _ => NAME,
        }
    }
}

impl Place {
    /// Whether what comes next is running text.
    pub fn is_text(&self) -> bool {
        let target = self.target > 0 || self.angle;
        !self.address && !target && self.definition == Definition::None && self.tag == 0
    }

    /// Goes over a character.
    pub fn take(&mut self, c: char) {
        self.take_address(c);
        self.take_target(c);
        self.take_definition(c);
        self.take_tag(c);
        self.blank = match c {
            '\n' => true,
            c => self.blank && c.is_ascii_whitespace(),
        };
        self.before = c;
    }

    fn take_address(&mut self, c: char) {
        if c.is_ascii_whitespace() || c == '<' {
            self.address = false;
            self.run = Run::default();
            return;
        }
        let run = &mut self.run;
        run.www = match (run.www, c) {
            (3, '.') => 4,
            (n, 'w' | 'W') => (n + 1).min(3),
            _ => 0,
        };
        run.host = match (run.host, c) {
            (Host::None | Host::Label, c) if c.is_alphanumeric() => Host::Label,
            (Host::Dot | Host::Domain, c) if c.is_alphabetic() => Host::Domain,
            (Host::Dot, c) if c.is_alphanumeric() => Host::Label,
            (Host::Domain, c) if c.is_alphanumeric() => Host::Domain,
            (Host::Label | Host::Domain, '.') => Host::Dot,
            (host, '-') => host,
            (Host::Domain, '/' | '?' | '#') => {
                self.address = true;
                Host::None
            }
            _ => Host::None,
        };
        let scheme = run.scheme && c == ':';
        let relative = c == '/' && self.before == '/';
        self.address |= scheme || relative || run.www == 4;
        let goes_on = c.is_ascii_digit() || matches!(c, '+' | '-' | '.');
        run.scheme = c.is_ascii_alphabetic() || run.scheme && goes_on;
    }

    fn take_target(&mut self, c: char) {
        let escaped = std::mem::take(&mut self.escaped);
        if self.before == ']' && c == '(' {
            self.target += 1;
            self.target_begins = true;
            return;
        }
        if self.target == 0 && !self.angle {
            return;
        }
        let begins = std::mem::take(&mut self.target_begins);
        match c {
            // No link goes on behind an empty line.
            '\n' if self.blank => {
                self.target = 0;
                self.angle = false;
            }
            '\n' => {
                self.angle = false;
                self.target_begins = begins;
            }
            _ if c.is_ascii_whitespace() => self.target_begins = begins,
            _ if escaped => {}
            '\\' => self.escaped = true,
            '<' if begins => self.angle = true,
            '>' => self.angle = false,
            '(' => self.target = self.target.saturating_add(1),
            ')' => self.target = self.target.saturating_sub(1),
            _ => {}
        }
    }

    fn take_definition(&mut self, c: char) {
        self.definition = match (self.definition, c) {
            (_, ':') if self.before == ']' => Definition::Empty,
            (Definition::Begun, '\n') => Definition::None,
            (Definition::Empty, '\n') if self.blank => Definition::None,
            (Definition::Empty, c) if !c.is_ascii_whitespace() => Definition::Begun,
            (definition, _) => definition,
        };
    }

    fn take_tag(&mut self, c: char) {
        let mut next = 0;
        let mut left = self.tag;
        while left != 0 {
            let state = 1 << left.trailing_zeros();
            left &= left - 1;
            next |= tag::next(state, c);
        }
        let opens = c.is_ascii_alphabetic() || c == '/';
        if self.before == '<' && opens {
            next |= tag::TAG_NAME;
        }
        self.tag = next;
    }
}
