"""The words that tills use: what their headers and values are called in English, Spanish, French and German. Data and look-ups only."""

import re
import unicodedata
from collections.abc import Sequence

HEADERS: dict[str, tuple[str, ...]] = {
    "transaction_id": (
        "transaction id", "line id", "line item id", "item selection id", "sale line id", "row id", "txn id", "id", "uuid",
        "transaction number", "transaction", "id de linea", "id linea", "id ligne", "identifiant ligne", "zeilen id", "pos id",
        "positions id",
    ),
    "order_id": (
        "order id", "receipt id", "receipt number", "receipt no", "receipt", "ticket id", "ticket number", "ticket", "check id",
        "check number", "check no", "check", "bill number", "bill", "invoice number", "invoice no", "invoice", "order number", "order no",
        "order", "sale id", "sale number", "basket id", "basket", "transaction id", "transaction number", "transaction", "folio",
        "numero de ticket", "no de ticket", "numero de pedido", "pedido", "recibo", "nota", "factura", "venta", "numero de commande",
        "commande", "numero de recu", "recu", "facture", "bon id", "bon nr", "bonnummer", "bon", "beleg nr", "belegnummer", "beleg",
        "bestellnummer", "bestellung", "rechnungsnummer", "rechnung", "auftrag", "quittung", "name",
    ),
    "product_id": (
        "product id", "product code", "lineitem sku", "sku", "stock code", "item code", "item id", "plu", "article code", "clave",
        "codigo", "artikelnummer", "product name", "product", "menu item", "item name", "item", "lineitem name", "line item", "article",
        "description", "producto", "articulo", "descripcion", "produit", "libelle", "designation", "artikel", "artikeltext",
        "artikelname", "bezeichnung", "beschreibung",
    ),
    "customer_id": (
        "customer id", "customer number", "customer no", "customer", "client id", "member id", "member number", "member no", "member",
        "loyalty id", "loyalty number", "loyalty card", "id cliente", "numero de cliente", "cliente", "socio", "id client",
        "numero client", "client", "carte de fidelite", "kunden id", "kundennummer", "kunden nr", "kunde", "mitglied", "email",
    ),
    "quantity": (
        "quantity", "qty", "lineitem quantity", "item quantity", "units sold", "units", "cantidad", "cant", "piezas", "unidades",
        "quantite", "qte", "menge", "anzahl", "stuck", "pos menge", "count",
    ),
    "total_price": (
        "total price", "net total", "net sales", "net price", "net amount", "price net", "line net", "net", "line total",
        "extended price", "ext price", "line amount", "total amount", "amount", "importe", "importe total", "total linea", "monto",
        "montant ttc", "montant", "total ttc", "prix total", "bruttobetrag", "gesamtpreis", "betrag", "umsatz", "gesamt", "summe",
        "price gross", "gross sales", "gross price", "gross amount", "subtotal", "sales", "total due", "total",
    ),
    "unit_price": (
        "unit price", "lineitem price", "item price", "price each", "price", "retail price", "precio unitario", "p unitario", "precio",
        "prix unitaire", "pu ttc", "pu", "prix", "einzelpreis", "stuckpreis", "e preis", "preis",
    ),
    "discount": (
        "discount", "discounts", "discount amount", "lineitem discount", "disc", "descuento", "remise", "rabais", "rabatt", "nachlass",
    ),
    "transaction_date": (
        "transaction date", "sold at", "datetime", "date time", "timestamp", "sale time", "sale date", "order date", "created at",
        "recorded at", "sent date", "invoice date", "paid at", "closed at", "time", "date", "fecha y hora", "fecha hora", "fecha",
        "date heure", "horodatage", "bon zeit", "datum uhrzeit", "zeitpunkt", "buchungszeit", "datum",
    ),
    "date": ("date", "sale date", "order date", "transaction date", "fecha", "fecha de venta", "jour", "datum", "tag"),
    "time": ("time", "sale time", "order time", "transaction time", "hora", "heure", "uhrzeit", "zeit"),
    "payment_method": (
        "payment method", "payment type", "tender", "tender type", "payment", "forma de pago", "metodo de pago", "tipo de pago",
        "mode de paiement", "moyen de paiement", "paiement", "reglement", "zahlungsart", "zahlart", "zahlungsmittel", "bezahlart",
    ),
    "store_id": (
        "store id", "store number", "store no", "store", "shop id", "shop", "branch id", "branch code", "branch", "outlet",
        "location id", "location", "machine id", "site id", "site", "sucursal", "tienda", "magasin", "boutique", "point de vente",
        "filiale", "laden", "standort", "kassen id",
    ),
    "currency": ("currency", "currency code", "moneda", "divisa", "devise", "wahrung"),
    "kind": (
        "kind", "event type", "operation type", "transaction type", "sale type", "type", "void", "voided", "is void", "status",
        "estado", "estatus", "tipo", "statut", "etat", "typ", "storno", "annule", "cancelled", "refunded", "vend result",
    ),
    "business_unit": ("business unit", "business unit id", "unit", "unidad", "unite", "einheit"),
    "weather": ("weather", "clima", "tiempo", "meteo", "wetter"),
    "promotion": (
        "promotion", "promo", "promo code", "coupon", "coupon code", "discount code", "campaign", "promocion", "cupon", "code promo",
        "aktion", "gutschein",
    ),
    "refunded_order_id": (
        "refunded order id", "original order id", "original order", "original receipt", "original transaction id", "ticket original",
        "original ticket", "ursprungsbon",
    ),
    "refunded_date": ("refunded date", "original date", "fecha original", "date originale", "ursprungsdatum"),
}  # fmt: skip
"""What our columns are called elsewhere, the surest word first; written as `plain` writes them."""

REFUND_WORDS = (
    "refund", "refunded", "return", "returned", "reembolso", "reembolsada", "devolucion", "devuelto", "devuelta", "remboursement",
    "rembourse", "retour", "avoir", "erstattung", "erstattet", "ruckgabe", "retoure", "gutschrift",
)  # fmt: skip
VOID_WORDS = (
    "void", "voided", "cancel", "cancelled", "canceled", "cancelada", "cancelado", "anulada", "anulado", "annule", "annulee",
    "annulation", "storno", "storniert", "abgebrochen",
)  # fmt: skip
SALE_WORDS = (
    "sale", "sales", "sold", "payment", "paid", "completed", "closed", "vended", "normal", "venta", "pagada", "pagado", "cobrada", "vente",
    "paye", "payee", "verkauf", "bezahlt",
)  # fmt: skip
YES = frozenset(("true", "yes", "y", "1", "x", "si", "oui", "ja", "wahr", "verdadero", "vrai"))
NO = frozenset(("false", "no", "n", "0", "non", "nein", "falsch", "falso", "faux", ""))

NOBODY_MARKS = frozenset((r"\n", "null", "none", "nan", "n/a", "#n/a", "nil", "0", "-1", "-"))
NOBODY = frozenset(
    (
        "guest", "walk in", "walk in customer", "anonymous", "cash customer", "unknown", "unknown customer", "publico en general",
        "publico general", "mostrador", "sin cliente", "cliente general", "comptoir", "client comptoir", "anonyme", "laufkunde",
        "laufkundschaft", "barverkauf", "anonym",
    )
)  # fmt: skip
"""What stands for a customer who is not known: as it stands, in lower case; and as `plain` writes it."""

TOTALS = (
    "total",
    "totals",
    "grand total",
    "subtotal",
    "suma",
    "totales",
    "somme",
    "totaux",
    "summe",
    "gesamt",
    "records",
    "rows",
)

CURRENCY_SIGNS = {
    "US$": "USD", "CA$": "CAD", "C$": "CAD", "MX$": "MXN", "R$": "BRL", "A$": "AUD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR",
    "CHF": "CHF", "EUR": "EUR", "USD": "USD", "CAD": "CAD", "MXN": "MXN", "GBP": "GBP", "zł": "PLN", "Kč": "CZK", "kr": "", "Fr.": "CHF",
    "$": "",
}  # fmt: skip
"""Signs in amounts, the longest first where one begins another, and the currency that they are certain to mean."""

COUNTRY_CURRENCY = {"usa": "USD", "canada": "CAD", "mexico": "MXN"}
"""By the landing folder of a unit: the currency that `$` means there, until somebody says otherwise."""


def plain(text: str) -> str:
    """A header or value without accents, capitals, marks: `InvoiceNo`, `Nº de Ticket` → `invoice no`, `n de ticket`."""
    split = re.sub(r"([a-z])([A-Z])", r"\1 \2", text.strip()).replace("#", " number ").replace("ß", "ss")
    bare = "".join(letter for letter in unicodedata.normalize("NFKD", split) if not unicodedata.combining(letter))
    return " ".join(re.findall(r"[a-z0-9]+", bare.lower()))


NUMBER_WORDS = frozenset(("n", "no", "nr", "nro", "num", "numero", "nummer", "number"))
FILLERS = frozenset(("de", "del", "du", "la", "le", "der", "the", "of"))


def _canonical(header: str) -> str:
    """A header's words without fillers, and with one word for all that mean number."""
    words = (word for word in plain(header).split() if word not in FILLERS)
    return " ".join("number" if word in NUMBER_WORDS else word for word in words)


CANONICAL = {column: tuple(dict.fromkeys(map(_canonical, names))) for column, names in HEADERS.items()}


def likeness(header: str, column: str) -> float:
    """How surely a header means our column, by its name alone: 1 for our own name, 0 for a word that is not known."""
    if plain(header) == column.replace("_", " "):
        return 1.0
    words, known = _canonical(header), CANONICAL[column]
    if words in known:
        return 0.95 - 0.4 * known.index(words) / len(known)
    tokens = set(words.split())
    inside = [place for place, name in enumerate(known) if len(name.split()) > 1 and set(name.split()) <= tokens]
    return 0.45 - 0.2 * min(inside) / len(known) if inside else 0.0


def says(text: str, words: Sequence[str]) -> bool:
    """Whether one of these words stands in the text."""
    return not set(plain(text).split()).isdisjoint(words)


def is_nobody(value: str) -> bool:
    """Whether a value of a customer column stands for nobody."""
    return value.strip().lower() in NOBODY_MARKS or plain(value) in NOBODY
