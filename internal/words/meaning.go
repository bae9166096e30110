package words

import "github.com/rehearse-dev/rehearse/internal/schema"

// Meaning is what a column holds, as far as its name tells; empty: unknown.
type Meaning string

// The meanings of people.
const (
	GivenName  Meaning = "given_name"
	FamilyName Meaning = "family_name"
	FullName   Meaning = "full_name"
	Username   Meaning = "username"
	Email      Meaning = "email"
	Phone      Meaning = "phone"
	BirthDate  Meaning = "birth_date"
	Gender     Meaning = "gender"
	Title      Meaning = "title" // of a person: "Dr."
)

// The meanings of addresses.
const (
	Street      Meaning = "street" // with the house number
	HouseNumber Meaning = "house_number"
	City        Meaning = "city"
	Region      Meaning = "region"
	PostalCode  Meaning = "postal_code"
	Country     Meaning = "country"
	CountryCode Meaning = "country_code" // two letters
	Latitude    Meaning = "latitude"
	Longitude   Meaning = "longitude"
	FullAddress Meaning = "full_address" // in one line
)

// The meanings of organisations.
const (
	Company    Meaning = "company"
	Department Meaning = "department"
	JobTitle   Meaning = "job_title"
	VATID      Meaning = "vat_id"
)

// The meanings of finance.
const (
	IBAN          Meaning = "iban"
	BIC           Meaning = "bic"
	CreditCard    Meaning = "credit_card"
	Currency      Meaning = "currency" // three letters
	Amount        Meaning = "amount"
	Price         Meaning = "price"
	Quantity      Meaning = "quantity"
	TaxRate       Meaning = "tax_rate"
	AccountNumber Meaning = "account_number"
)

// The meanings of the internet.
const (
	URL       Meaning = "url"
	Domain    Meaning = "domain"
	Hostname  Meaning = "hostname"
	IPv4      Meaning = "ipv4"
	IPv6      Meaning = "ipv6"
	MAC       Meaning = "mac"
	UserAgent Meaning = "user_agent"
	Path      Meaning = "path"
	Slug      Meaning = "slug"
	MIMEType  Meaning = "mime_type"
	FileName  Meaning = "file_name"
)

// The meanings of identifiers.
const (
	UUID          Meaning = "uuid"
	ExternalID    Meaning = "external_id"
	Token         Meaning = "token"
	PasswordHash  Meaning = "password_hash"
	APIKey        Meaning = "api_key"
	SessionID     Meaning = "session_id"
	MD5           Meaning = "hash_md5"
	SHA1          Meaning = "hash_sha1"
	SHA256        Meaning = "hash_sha256"
	SKU           Meaning = "sku"
	OrderNumber   Meaning = "order_number"
	InvoiceNumber Meaning = "invoice_number"
	Version       Meaning = "version"
	Locale        Meaning = "locale"
	TimeZone      Meaning = "time_zone"
	Color         Meaning = "color"
)

// The meanings of texts.
const (
	TitleText   Meaning = "title_text"
	Sentence    Meaning = "sentence"
	Paragraph   Meaning = "paragraph"
	Comment     Meaning = "comment"
	Description Meaning = "description"
	NameOfThing Meaning = "name_of_thing"
	Tag         Meaning = "tag"
	Code        Meaning = "code"
	Status      Meaning = "status"
)

// The meanings of technical texts.
const (
	JSON       Meaning = "json"
	Serialized Meaning = "serialized" // PHP's
	Base64     Meaning = "base64"
	XML        Meaning = "xml"
	HTML       Meaning = "html"
)

// Meanings are all of them, in the order in which they are declared.
func Meanings() []Meaning {
	return []Meaning{
		GivenName, FamilyName, FullName, Username, Email, Phone, BirthDate, Gender, Title,
		Street, HouseNumber, City, Region, PostalCode, Country, CountryCode, Latitude, Longitude, FullAddress,
		Company, Department, JobTitle, VATID,
		IBAN, BIC, CreditCard, Currency, Amount, Price, Quantity, TaxRate, AccountNumber,
		URL, Domain, Hostname, IPv4, IPv6, MAC, UserAgent, Path, Slug, MIMEType, FileName,
		UUID, ExternalID, Token, PasswordHash, APIKey, SessionID, MD5, SHA1, SHA256, SKU, OrderNumber, InvoiceNumber,
		Version, Locale, TimeZone, Color,
		TitleText, Sentence, Paragraph, Comment, Description, NameOfThing, Tag, Code, Status,
		JSON, Serialized, Base64, XML, HTML,
	}
}

// Personal reports whether values tell of one person. Cities, regions, countries
// and postal codes alone do not.
func (m Meaning) Personal() bool {
	switch m {
	case GivenName, FamilyName, FullName, Username, Email, Phone, BirthDate,
		Street, HouseNumber, Latitude, Longitude, FullAddress,
		IBAN, CreditCard, AccountNumber, VATID, IPv4, IPv6, MAC:
		return true
	}
	return false
}

// Secret reports whether values open something.
func (m Meaning) Secret() bool {
	switch m {
	case Token, PasswordHash, APIKey, SessionID:
		return true
	}
	return false
}

// Free reports whether values are text that somebody wrote, which may say
// anything about anybody.
func (m Meaning) Free() bool {
	switch m {
	case Sentence, Paragraph, Comment, Description, TitleText, HTML, XML, Serialized, JSON, Base64:
		return true
	}
	return false
}

// fits reports whether a column of the type can hold the meaning's values.
func (m Meaning) fits(t schema.Type) bool {
	switch m {
	case BirthDate:
		return t.Kind == schema.Date || t.Kind == schema.Text || t.Kind == schema.Timestamp || t.Kind == schema.Instant
	case Latitude, Longitude, Amount, Price, TaxRate:
		return t.Kind == schema.Decimal || t.Kind == schema.Float || t.Kind == schema.Text ||
			t.Kind == schema.Int && m != Latitude && m != Longitude && t.Size > 1
	case Quantity:
		return t.Kind == schema.Int || t.Kind == schema.Decimal || t.Kind == schema.Float
	case UUID:
		return t.Kind == schema.UUID || t.Kind == schema.Text && (t.Length == 0 || t.Length >= 32)
	case JSON:
		return t.Kind == schema.JSON || t.Kind == schema.Text
	case IPv4, IPv6:
		return t.Kind == schema.Inet && t.Name != "macaddr" && t.Name != "macaddr8" || t.Kind == schema.Text
	case MAC:
		return t.Kind == schema.Inet && (t.Name == "macaddr" || t.Name == "macaddr8") || t.Kind == schema.Text
	case Token, PasswordHash, APIKey, SessionID, MD5, SHA1, SHA256:
		return t.Kind == schema.Text || t.Kind == schema.Bytes
	case AccountNumber, OrderNumber, InvoiceNumber, HouseNumber, PostalCode:
		return t.Kind == schema.Text || t.Kind == schema.Int && t.Size >= 4
	}
	return t.Kind == schema.Text
}
