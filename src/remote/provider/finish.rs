//! When a reply is finished, decided in one place for all wire formats.
//!
//! A reply is finished when the server said why it stopped, or ended the stream in good order (`[DONE]`), or sent a whole
//! object with an answer in it; never because the connection ended, and never when the server says that it failed.

use super::json::letters;

/// Why a model stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Finish {
    /// It has not, as far as was read.
    #[default]
    Unfinished,
    /// It was done.
    Stop,
    /// It reached the token limit.
    Length,
    /// A content filter stopped it.
    Filter,
    /// Something went wrong on the server, or it is not done and says so.
    Failed,
}

impl Finish {
    /// What a provider's word for it means. An empty word says nothing; one that nobody knows is an end.
    pub fn of(word: Option<&str>) -> Self {
        let word: String = letters(word.unwrap_or_default()).collect();
        match word.as_str() {
            "" | "null" | "none" | "unspecified" | "finishreasonunspecified" => Finish::Unfinished,
            "length"
            | "maxtokens"
            | "maxoutputtokens"
            | "modellength"
            | "modelcontextwindowexceeded"
            | "incomplete" => Finish::Length,
            "contentfilter"
            | "contentfiltered"
            | "guardrailintervened"
            | "safety"
            | "recitation"
            | "blocklist"
            | "prohibitedcontent"
            | "spii"
            | "language"
            | "sensitive"
            | "imagesafety" => Finish::Filter,
            "error"
            | "failed"
            | "failure"
            | "cancelled"
            | "canceled"
            | "abort"
            | "aborted"
            | "timeout"
            | "networkerror"
            | "insufficientsystemresource"
            | "malformedfunctioncall"
            | "malformedtooluse"
            | "malformedmodeloutput"
            | "unexpectedtoolcall"
            | "malformedresponse"
            | "other"
            | "inprogress"
            | "queued" => Finish::Failed,
            _ => Finish::Stop,
        }
    }

    /// Takes in what a later part of the same reply says. The first reason counts, except that a failure always does.
    pub fn then(self, later: Finish) -> Self {
        match (self, later) {
            (Finish::Unfinished, later) => later,
            (_, Finish::Failed) => Finish::Failed,
            (first, _) => first,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_all_providers_are_known() {
        for (words, finish) in [
            (
                &[
                    "stop",
                    "end_turn",
                    "STOP",
                    "tool_calls",
                    "tool_use",
                    "stop_sequence",
                    "eos_token",
                    "completed",
                ][..],
                Finish::Stop,
            ),
            (
                &[
                    "length",
                    "max_tokens",
                    "MAX_TOKENS",
                    "max_output_tokens",
                    "maxTokens",
                ][..],
                Finish::Length,
            ),
            (
                &[
                    "content_filter",
                    "content_filtered",
                    "SAFETY",
                    "guardrail_intervened",
                ][..],
                Finish::Filter,
            ),
            (
                &[
                    "error",
                    "failed",
                    "cancelled",
                    "MALFORMED_FUNCTION_CALL",
                    "network_error",
                ][..],
                Finish::Failed,
            ),
            (
                &["", " ", "null", "FINISH_REASON_UNSPECIFIED"][..],
                Finish::Unfinished,
            ),
        ] {
            for word in words {
                assert_eq!(Finish::of(Some(word)), finish, "{word}");
            }
        }
        assert_eq!(Finish::of(None), Finish::Unfinished);
    }

    #[test]
    fn the_first_reason_counts_unless_something_failed() {
        assert_eq!(
            Finish::Unfinished.then(Finish::Length).then(Finish::Stop),
            Finish::Length
        );
        assert_eq!(Finish::Stop.then(Finish::Unfinished), Finish::Stop);
        assert_eq!(
            Finish::Stop.then(Finish::Failed).then(Finish::Stop),
            Finish::Failed
        );
    }
}
