//! Events that play a part in a shop, by the names that common systems give them.

use serde_json::{Map, Value, json};

use super::Notes;
use super::step::nowhere;
use crate::dictionary::Dictionary;
use crate::ids::{Code, MISSING};

/// Something was put into the cart.
pub const CARTS: [&str; 12] = [
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
];

/// The checkout began. `shipping_details` is here too: where nothing comes before it, it is the checkout's start.
pub const CHECKOUTS: [&str; 9] = [
    "begin_checkout",
    "Checkout Started",
    "Started Checkout",
    "checkout_started",
    "InitiateCheckout",
    "scCheckout",
    "commerce.checkouts",
    "ecommerce.checkout_started",
    "shipping_details",
];

/// The checkout knows where to ship to.
pub const SHIPPINGS: [&str; 3] = ["add_shipping_info", "checkout_shipping_info_submitted", "shipping_details"];

/// The checkout knows how it will be paid.
pub const PAYMENTS: [&str; 7] = [
    "add_payment_info",
    "Payment Info Entered",
    "payment_info_entered",
    "payment_info_submitted",
    "AddPaymentInfo",
    "payment_details",
    "payment_info",
];

/// Something was bought.
pub const PURCHASES: [&str; 14] = [
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
];

/// Something was taken out of the cart.
pub const REMOVALS: [&str; 8] = [
    "remove_from_cart",
    "Product Removed",
    "product_removed",
    "product_removed_from_cart",
    "RemoveFromCart",
    "removeFromCart",
    "scRemove",
    "commerce.productListRemovals",
];

/// The names of the events that play one part in a question.
#[derive(Clone, Debug)]
pub struct EventNames {
    /// The field, and without its dashes the flag, that names them.
    field: &'static str,
    names: Vec<String>,
    /// Whether the user named them.
    given: bool,
}

impl EventNames {
    /// The names that `field` was given, or else the default ones.
    pub fn new(field: &'static str, given: Vec<String>, default: &[&str]) -> Self {
        if given.is_empty() {
            let names = default.iter().map(|&name| name.to_owned()).collect();
            return EventNames { field, names, given: false };
        }
        EventNames { field, names: given, given: true }
    }

    /// Whether there is no name at all, given or by default.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The names as they are printed.
    pub fn names(&self) -> Value {
        json!(self.names)
    }

    /// Adds the names to the rules that are printed.
    pub fn rule(&self, rules: &mut Map<String, Value>) {
        rules.insert(self.field.to_owned(), self.names());
    }

    /// The codes of those names that the log has.
    pub fn codes(&self, events: &Dictionary) -> impl Iterator<Item = Code> {
        self.names.iter().filter_map(|name| events.code(name)).filter(|&code| code != MISSING)
    }

    /// Those of the names that the log has.
    pub fn occurring<'a>(&self, events: &'a Dictionary) -> impl Iterator<Item = &'a str> {
        self.codes(events).map(|code| events.name(code))
    }

    /// Whether the log has such an event.
    pub fn occur(&self, events: &Dictionary) -> bool {
        self.codes(events).next().is_some()
    }

    /// Gives the events `role` in `roles`, which holds one bit per role for each event code.
    pub fn mark(&self, events: &Dictionary, roles: &mut [u8], role: u8) {
        for code in self.codes(events) {
            roles[code as usize] |= role;
        }
    }

    /// Notes each name that the user gave and that occurs nowhere, with its nearest neighbour in the log.
    pub fn note_unknown(&self, events: &Dictionary, notes: &mut Notes) {
        let unknown = |name: &&String| events.code(name).is_none_or(|code| code == MISSING);
        for name in self.names.iter().filter(unknown).filter(|_| self.given) {
            notes.warn(nowhere("event", name, events.iter()));
        }
    }

    /// Notes that none of the default names occurs, so that the user may give others.
    pub fn note_no_default(&self, events: &Dictionary, notes: &mut Notes) {
        if !self.given && !self.occur(events) {
            let field = self.field;
            notes.tell(format!("none of the default names of a {field} event occurs: name yours with --{field}"));
        }
    }
}
