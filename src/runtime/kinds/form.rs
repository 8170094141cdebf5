//! A kind's form as remotes ask for it.

use serde_json::Value;

use crate::error::Result;
use crate::remote::JsonForm;
use crate::task::kind::Form;

impl JsonForm for Form<'_> {
    fn rules(&self) -> String {
        Form::rules(self)
    }

    fn text(&self) -> String {
        Form::text(self)
    }

    fn schema(&self) -> Value {
        Form::schema(self)
    }

    fn find(&self, reply: &str) -> Result<Value> {
        Form::find(self, reply)
    }

    fn check(&self, answer: &str) -> Result<()> {
        self.read(answer).map(|_| ())
    }
}
