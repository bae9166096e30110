package words_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/words"
)

// typeOf reads "text", "text40", "int4", "date", "time", "decimal", "float",
// "bool", "json", "uuid", "inet", "mac", "bytes".
func typeOf(s string) schema.Type {
	name := strings.TrimRight(s, "0123456789")
	n, _ := strconv.Atoi(s[len(name):])
	switch name {
	case "text":
		return schema.Type{Kind: schema.Text, Length: n}
	case "int":
		return schema.Type{Kind: schema.Int, Size: n}
	case "time":
		return schema.Type{Kind: schema.Instant}
	case "mac":
		return schema.Type{Kind: schema.Inet, Name: "macaddr"}
	}
	return schema.Type{Kind: schema.Kind(name), Name: name}
}

// columns are columns of real schemas (zabbix, mediawiki, request-tracker,
// bacula, icingadb) and of the kind that every shop and service has, with what a
// person says they hold: table, column, type, meaning ("-": nothing one can name).
const columns = `
users username text100 username
users surname text100 family_name
users passwd text60 password_hash
users url text2048 url
users lang text7 locale
users theme text128 -
users attempt_ip text39 ipv4
users attempt_clock int4 -
users timezone text50 time_zone
users autologin int4 -
role name text255 name_of_thing
hosts host text128 hostname
hosts name text128 hostname
hosts ipmi_username text16 username
hosts ipmi_password text20 password_hash
hosts description text description
hosts tls_psk text512 token
hosts proxy_address text255 hostname
hosts uuid text32 uuid
hosts hostid int8 -
hosts status int4 -
interface ip text64 ipv4
interface dns text255 hostname
interface port text64 -
items publickey text64 token
items privatekey text64 token
items url text2048 url
items http_proxy text255 url
media_type smtp_server text255 hostname
media_type smtp_email text255 email
media_type exec_path text255 path
media_type_message subject text255 title_text
media_type_message message text comment
config problem_unack_color text6 color
config default_lang text5 locale
config default_timezone text50 time_zone
config ldap_host text255 hostname
config ldap_bind_password text128 password_hash
config instanceid text32 external_id
config session_key text32 session_id
config saml_sso_url text2048 url
host_inventory macaddress_a text64 mac
host_inventory asset_tag text64 sku
host_inventory serialno_a text64 sku
host_inventory location_lat text16 latitude
host_inventory location_lon text16 longitude
host_inventory site_address_a text128 street
host_inventory site_city text128 city
host_inventory site_state text64 region
host_inventory site_country text64 country
host_inventory site_zip text64 postal_code
host_inventory url_a text255 url
host_inventory notes text comment
host_inventory host_netmask text39 ipv4
host_inventory vendor text64 company
host_inventory contact text full_name
host_inventory contract_number text64 order_number
sessions sessionid text32 session_id
auditlog ip text39 ipv4
auditlog username text100 username
auditlog details text description
sysmap_shape font_color text6 color
sysmap_shape width int4 -
token token text128 token
token name text64 name_of_thing
event_tag tag text255 tag
lld_macro_path path text255 path
interface_snmp community text64 token
interface_snmp authpassphrase text64 token
images name text64 file_name
images image bytes -
sla timezone text50 time_zone
acknowledges message text2048 comment
autoreg_host listen_ip text39 ipv4
autoreg_host listen_dns text255 hostname
user user_name text username
user user_real_name text full_name
user user_password text password_hash
user user_newpassword text password_hash
user user_email text email
user user_token text token
user user_email_token text token
user user_email_authenticated time -
user user_editcount int4 -
user user_touched time -
page page_title text title_text
page page_lang text locale
page page_len int4 -
page page_content_model text -
image img_name text file_name
image img_major_mime text mime_type
image img_width int4 -
filearchive fa_name text file_name
filearchive fa_storage_key text path
recentchanges rc_ip text ipv4
recentchanges rc_title text title_text
recentchanges rc_params text serialized
comment comment_text text comment
text old_text text paragraph
ipblocks ipb_address text ipv4
sites site_domain text255 domain
sites site_language text locale
interwiki iw_url text url
interwiki iw_api text url
uploadstash us_mime text255 mime_type
uploadstash us_orig_path text255 path
uploadstash us_status text50 status
category cat_title text title_text
category cat_pages int4 -
actor actor_name text username
bot_passwords bp_token text token
bot_passwords bp_password text password_hash
Users Name text200 full_name
Users EmailAddress text120 email
Users RealName text120 full_name
Users NickName text16 username
Users Organization text200 company
Users HomePhone text30 phone
Users WorkPhone text30 phone
Users MobilePhone text30 phone
Users City text100 city
Users State text100 region
Users Zip text16 postal_code
Users Country text50 country
Users Timezone text50 time_zone
Users Lang text16 locale
Users Comments text comment
Users Password text256 password_hash
Users AuthToken text16 token
Users SMIMECertificate text token
Queues CorrespondAddress text120 email
Queues Description text255 description
Queues Name text200 name_of_thing
Attachments Filename text255 file_name
Attachments ContentType text80 mime_type
Attachments Content text paragraph
Attachments Subject text255 title_text
Attachments MessageId text160 external_id
Tickets Subject text200 title_text
Tickets Status text64 status
Tickets TimeWorked int4 -
Tickets Owner int4 -
Transactions Type text20 -
Groups Name text200 name_of_thing
AuthTokens Token text256 token
host address text255 hostname
host display_name text hostname
host notes text comment
host name_checksum bytes hash_sha1
user email text255 email
user pager text255 phone
comment author text full_name
comment text text comment
notes_url notes_url text url
action_url action_url text url
endpoint name text255 hostname
host_state output text paragraph
host_state latency int4 -
checkcommand command text -
Client Name text full_name
Storage Name text name_of_thing
LocationLog Comment text comment
customers first_name text80 given_name
customers last_name text80 family_name
customers middle_name text80 given_name
customers date_of_birth date birth_date
customers gender text10 gender
customers phone_number text30 phone
customers address_line1 text200 street
customers address_line2 text200 street
customers house_number text10 house_number
customers zip_code text12 postal_code
customers country_code text2 country_code
customers vat_number text20 vat_id
customers loyalty_points int4 -
customers stripe_customer_id text64 external_id
customers created_at time -
customers email_verified bool -
customers email_verified_at time -
customers is_active bool -
customers preferred_language text10 locale
accounts iban text34 iban
accounts bic text11 bic
accounts account_number text20 account_number
accounts balance decimal amount
accounts currency text3 currency
accounts holder_name text100 full_name
payments card_number text19 credit_card
payments amount_cents int8 amount
payments status text20 status
payments transaction_ref text64 external_id
orders order_number text20 order_number
orders total decimal amount
orders tax_rate decimal tax_rate
orders shipping_address text500 full_address
orders billing_name text100 full_name
orders coupon_code text20 code
orders customer_id int8 -
orders tracking_number text40 order_number
invoices number text20 invoice_number
invoices invoice_no text20 invoice_number
invoices due_date date -
products name text200 name_of_thing
products sku text40 sku
products unit_price decimal price
products stock int4 quantity
products slug text200 slug
products description text description
products color text20 color
products image_url text500 url
products weight_kg float -
order_items quantity int4 quantity
order_items price decimal price
companies name text200 company
companies website text200 url
companies industry text50 -
employees job_title text100 job_title
employees department text100 department
employees salary decimal amount
employees hired_on date -
devices mac_address mac mac
devices ip_address inet ipv4
devices serial_number text40 sku
devices firmware_version text20 version
logins user_agent text500 user_agent
logins session_id text64 session_id
logins ip text45 ipv4
api_clients api_key text64 api_key
api_clients client_secret text64 token
files path text1000 path
files mime_type text100 mime_type
files file_name text255 file_name
files sha256 text64 hash_sha256
files md5 text32 hash_md5
files size_bytes int8 -
commits sha text40 hash_sha1
posts title text200 title_text
posts body text paragraph
posts excerpt text500 sentence
posts html_body text html
posts published_at time -
tags name text50 name_of_thing
cities name text100 city
countries name text100 country
countries code text2 country_code
locations lat float latitude
locations lng float longitude
locations postcode text10 postal_code
events payload json json
events id uuid uuid
events kind text20 -
kunden vorname text80 given_name
kunden nachname text80 family_name
kunden strasse text100 street
kunden plz text10 postal_code
kunden ort text80 city
kunden geburtsdatum date birth_date
kunden telefon text30 phone
kunden firma text100 company
rechnungen rechnungsnummer text20 invoice_number
rechnungen betrag decimal amount
clientes nombre text80 full_name
clientes apellidos text80 family_name
clientes correo_electronico text100 email
clientes codigo_postal text10 postal_code
clientes ciudad text80 city
clients prenom text80 given_name
clients code_postal text10 postal_code
clients ville text80 city
clientes sobrenome text80 family_name
clientes cidade text80 city
clientes endereco text200 full_address
produits prix decimal price
graph_theme gridbordercolor text6 color
host_inventory poc_1_name text128 full_name
host_inventory poc_2_phone_b text64 phone
host address6 text255 ipv6
media_type name text100 name_of_thing
profiles value_str text -
task_data data text -
Queues Lifecycle text32 status
module relative_path text255 path
produits libelle text100 name_of_thing
`

func TestGuess(t *testing.T) {
	n := 0
	for line := range strings.Lines(strings.TrimSpace(columns)) {
		f := strings.Fields(line)
		want := words.Meaning(f[3])
		if want == "-" {
			want = ""
		}
		n++
		if got := words.Guess(f[0], f[1], typeOf(f[2]), ""); got != want {
			t.Errorf("Guess(%s.%s, %s) = %q, want %q", f[0], f[1], f[2], got, want)
		}
	}
	if n < 150 {
		t.Errorf("only %d columns", n)
	}
}

func TestGuessFromComment(t *testing.T) {
	for _, c := range []struct {
		comment string
		want    words.Meaning
	}{{"the customer's e-mail address", words.Email}, {"Postleitzahl", words.PostalCode}, {"how many there are", ""}} {
		if got := words.Guess("t", "field7", typeOf("text80"), c.comment); got != c.want {
			t.Errorf("a column with the comment %q is %q, want %q", c.comment, got, c.want)
		}
	}
}

func TestPrivate(t *testing.T) {
	for name, want := range map[string]string{
		"email": "personal: email", "password_hash": "secret: password_hash", "city": "", "status": "",
		"ssn": "personal: ssn", "patient_diagnosis": "personal: diagnosis", "base_salary": "personal: salary", "passport_no": "personal: passportno",
		"tax_id": "personal: taxid", "oauth_secret": "secret: oauth", "private_key_pem": "secret: privatekey", "AccessToken": "secret: token", "user_passwords": "secret: passwords",
		"token_expires_at": "", "email_verified": "", "quantity": "", "kind": "", "order_total": "", "passwd_min_length": "", "homePhone": "personal: phone",
	} {
		if got := words.Private(name); got != want {
			t.Errorf("Private(%q) = %q, want %q", name, got, want)
		}
	}
}
