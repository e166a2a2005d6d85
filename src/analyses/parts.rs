//! What plays a part in a question: a goal, a cart, a purchase, an error; as steps, or by the names that common systems give its events.

use serde_json::{Map, Value, json};

use super::step::{self, Step};
use super::{Common, NamedSteps, Notes};
use crate::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::ids::MISSING;
use crate::journeys::{Names, Needs, NodeRule};

/// The names that common systems give the events of a part.
#[derive(Clone, Copy, Debug)]
pub struct Usual {
    /// What the part is called in reports where nobody gave it.
    name: &'static str,
    names: &'static [&'static str],
}

/// Something was put into the cart.
pub const CARTS: Usual = Usual {
    name: "cart",
    names: &[
        "add_to_cart",
        "Product Added",
        "product_added",
        "product_added_to_cart",
        "AddToCart",
        "addToCart",
        "addtocart",
        "Add to Cart",
        "Added to Cart",
        "scAdd",
        "commerce.productListAdds",
        "ecommerce.cart_updated",
    ],
};

/// The checkout began. `shipping_details` is here too: where nothing comes before it, it is the checkout's start.
pub const CHECKOUTS: Usual = Usual {
    name: "checkout",
    names: &[
        "begin_checkout",
        "Checkout Started",
        "Started Checkout",
        "checkout_started",
        "InitiateCheckout",
        "scCheckout",
        "commerce.checkouts",
        "ecommerce.checkout_started",
        "shipping_details",
    ],
};

/// The checkout knows where to ship to.
pub const SHIPPINGS: Usual =
    Usual { name: "shipping", names: &["add_shipping_info", "checkout_shipping_info_submitted", "shipping_details"] };

/// The checkout knows how it will be paid.
pub const PAYMENTS: Usual = Usual {
    name: "payment",
    names: &[
        "add_payment_info",
        "Payment Info Entered",
        "payment_info_entered",
        "payment_info_submitted",
        "AddPaymentInfo",
        "payment_details",
        "payment_info",
    ],
};

/// Something was bought.
pub const PURCHASES: Usual = Usual {
    name: "purchase",
    names: &[
        "purchase",
        "Purchase",
        "Order Completed",
        "order_completed",
        "Completed Order",
        "Placed Order",
        "checkout_completed",
        "CompletePayment",
        "PlaceAnOrder",
        "ecommerce_purchase",
        "ecommerceOrder",
        "transaction",
        "commerce.purchases",
        "ecommerce.order_placed",
    ],
};

/// Something was taken out of the cart.
pub const REMOVALS: Usual = Usual {
    name: "removal",
    names: &[
        "remove_from_cart",
        "Product Removed",
        "product_removed",
        "product_removed_from_cart",
        "RemoveFromCart",
        "removeFromCart",
        "scRemove",
        "commerce.productListRemovals",
    ],
};

/// The page was scrolled.
pub const SCROLLS: Usual = Usual { name: "scroll", names: &["scroll"] };

/// For parts that nothing plays unless it is given.
pub const NOTHING: Usual = Usual { name: "", names: &[] };

/// What plays one part in a question.
#[derive(Clone, Debug)]
pub struct Part {
    /// The field, and without its dashes the flag, that gives it.
    field: &'static str,
    /// As the user gave it. If it is empty, the usual names stand for it.
    given: Vec<Step>,
    usual: Usual,
}

impl Part {
    /// The steps that `field` was given, or else the usual names.
    ///
    /// # Errors
    /// If a text is not one step that is one event.
    pub fn parse(field: &'static str, given: &[String], usual: Usual, named: &NamedSteps) -> Result<Part> {
        let given = given.iter().map(|text| step::parse_part(field, text, named)).collect::<Result<_>>()?;
        Ok(Part { field, given, usual })
    }

    /// Whether nothing can play it: nothing is given, and no name is usual.
    pub fn is_empty(&self) -> bool {
        self.given.is_empty() && self.usual.names.is_empty()
    }

    /// The steps as the user wrote them, or all usual names, as they are printed.
    pub fn printed(&self) -> Value {
        if self.given.is_empty() {
            return json!(self.usual.names);
        }
        json!(self.given.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    /// The steps that the user gave.
    pub fn given(&self) -> &[Step] {
        &self.given
    }

    /// Adds what must be read to recognise it.
    pub fn needs(&self, nodes: &NodeRule, needs: &mut Needs) {
        // A log without events has none of the usual names, and that is an answer.
        needs.scan.event |= self.given.is_empty();
        self.given.iter().for_each(|step| step.needs(nodes, needs));
    }

    /// Its steps, each for itself, under the names of reports.
    pub fn steps(&self, names: &Names) -> Vec<Step> {
        if self.given.is_empty() { vec![self.usual.step(&names.events)] } else { self.given.clone() }
    }

    /// The step that every event fits which plays the part.
    pub fn step(&self, names: &Names) -> Step {
        Step::either(self.field, self.steps(names))
    }

    /// Notes that none of the usual names occurs, so that the user may give others.
    pub fn note_no_default(&self, names: &Names, notes: &mut Notes) {
        if self.given.is_empty() && self.usual.occurring(&names.events).next().is_none() {
            let field = self.field;
            notes.tell(format!("none of the default names of a {field} event occurs: name yours with --{field}"));
        }
    }
}

impl Usual {
    /// Those of the names that the log has: the others are no mistake.
    fn occurring(self, events: &Dictionary) -> impl Iterator<Item = String> {
        let occurs = |name: &&str| events.code(name).is_some_and(|code| code != MISSING);
        self.names.iter().copied().filter(occurs).map(str::to_owned)
    }

    fn step(self, events: &Dictionary) -> Step {
        Step::of_names(self.name, self.occurring(events))
    }
}

/// Refuses more steps of `field` than a question has room for, which tells them apart.
pub fn refuse_many(field: &str, given: &[String], most: usize) -> Result<()> {
    if given.len() <= most {
        return Ok(());
    }
    Err(Error::question(format!("a question has at most {most} {field}s, not {}", given.len()))
        .hint(format!("alternatives are one {field}: --{field} '(a | b)'")))
}

/// The parts as they are printed among the rules of a question.
pub fn rules<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Map<String, Value> {
    parts.into_iter().map(|part| (part.field.to_owned(), part.printed())).collect()
}

/// What the steps of the parts are made of, as it is printed: the steps that the job has named, and how nodes are found where one asks for a node.
pub fn step_rules<'a>(parts: impl IntoIterator<Item = &'a Part>, common: &Common) -> Map<String, Value> {
    let given: Vec<&Step> = parts.into_iter().flat_map(|part| &part.given).collect();
    let mut rules = common.steps.rule(given.iter().copied());
    if given.iter().any(|step| step.asks_for_nodes()) {
        rules.extend(common.node_rule());
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Part> {
        Part::parse("cart", &[text.to_owned()], CARTS, &NamedSteps::default())
    }

    #[test]
    fn a_name_may_have_blanks_where_no_sign_says_more() {
        for text in ["Product Added", " Product Added ", "'Product Added'", "(\"Product Added\")"] {
            let part = parsed(text).unwrap();
            let name = Step::of_names("", ["Product Added".to_owned()].into_iter());
            assert!(part.given[0].means_the_same_as(&name), "{text}");
            assert_eq!(part.printed(), json!([text.trim()]));
        }
    }

    #[test]
    fn what_is_not_one_event_is_refused() {
        for (text, reason, hint) in [
            (
                "a > b",
                "the cart \"a > b\" does not end after its step \"a\"",
                "--cart takes one step; several in a row are a funnel",
            ),
            (
                "a b, c",
                "the cart \"a b, c\" does not end after its step \"a\"",
                "quote a name with signs: --cart \"'a b, c'\"",
            ),
            (
                "/my page",
                "the cart \"/my page\" does not end after its step \"/my\"",
                "quote a name with signs: --cart \"'/my page'\"",
            ),
            (
                "(a & b)",
                "the cart \"(a & b)\" cannot be a block",
                "(a & b) is a step of a funnel; alternatives are (a | b)",
            ),
            ("a?", "the cart \"a?\" cannot be optional", "`?` stands behind a funnel's step"),
            (
                "first(a)",
                "the cart \"first(a)\" cannot be the visitor's first event of its kind",
                "first(…) stands where a funnel's step is used",
            ),
        ] {
            let error = parsed(text).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.advice()), (reason, Some(hint)));
        }
        for text in ["", " ", "''"] {
            assert!(parsed(text).is_err(), "an event without a name is no event called nothing");
        }
    }

    #[test]
    fn more_steps_than_can_be_told_apart_are_refused() {
        let given = vec!["a".to_owned(); 3];
        assert!(refuse_many("stage", &given, 3).is_ok());
        let error = refuse_many("stage", &given, 2).unwrap_err();
        assert_eq!(error.to_string(), "a question has at most 2 stages, not 3");
        assert_eq!(error.advice(), Some("alternatives are one stage: --stage '(a | b)'"));
    }
}
