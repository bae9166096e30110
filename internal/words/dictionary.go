package words

import (
	"strings"
	"sync"
)

// dictionary has the meanings of joined lower-case words, the likeliest first.
// Letters are without accents.
var dictionary = sync.OnceValue(func() map[string][]Meaning {
	out := map[string][]Meaning{}
	for _, e := range entries {
		for _, w := range strings.Fields(e.words) {
			out[w] = append(out[w], e.meaning)
		}
	}
	return out
})

var entries = []struct {
	meaning Meaning
	words   string
}{
	{GivenName, "firstname fname givenname forename vorname prenom primernombre primeironome nomeproprio voornaam imie jmeno fornamn firstnames middlename middleinitial ad"},
	{FamilyName, "lastname lname surname familyname nachname familienname nomdefamille apellido apellidos sobrenome achternaam nazwisko prijmeni efternamn cognome maidenname soyad"},
	{FullName, "fullname realname personname customername contactname holdername cardholder cardholdername authorname ownername vollername nomcomplet nombrecompleto nomecompleto billingname shippingname recipientname recipient sendername legalname patientname employeename author contact contactperson ansprechpartner installername attn payee beneficiary scheduledby cancelledby removedby clearedby signedby"},
	{Username, "username login loginname userlogin accountname benutzername benutzer nomutilisateur usuario utilizador nick nickname screenname handle alias userid uid httpuser gecos actorname ipmiusername createdbyname author"},
	{Email, "email emailaddress mail mailaddress emailaddr correo correoelectronico courriel epost smtpemail replyto replytoaddress correspondaddress commentaddress emailfrom emailto fromemail toemail ccemail fromaddress toaddress"},
	{Phone, "phone phonenumber phoneno telephone telephonenumber tel telefon telefono telefone telefonnummer mobile mobilenumber mobilephone mobil handy cell cellphone fax faxnumber faxno pager homephone workphone pagerphone movil celular portable telefonnr msisdn whatsapp sms"},
	{BirthDate, "birthdate dateofbirth dob birthday bday geburtsdatum geburtstag datenaissance datedenaissance fechanacimiento fechadenacimiento datanascimento datadenascimento geboortedatum bornon birthdt born"},
	{Gender, "gender sex geschlecht anrede sexe sexo genero geslacht sesso"},
	{Title, "salutation honorific honorificprefix nameprefix civilite anredetitel persontitle academictitle"},

	{Street, "street streetaddress streetname streetline addressline addressline1 address1 addrline1 addr1 line1 strasse strase rue calle rua via ulica straat addressstreet addressline2 address2 line2 siteaddress gata"},
	{HouseNumber, "housenumber houseno hausnummer hausnr streetnumber streetno buildingnumber huisnummer"},
	{City, "city town cityname locality ort stadt ville ciudad cidade citta stad miasto mesto municipality gemeinde commune placeofbirth birthplace wohnort sitecity"},
	{Region, "state region province county prefecture bundesland departement provincia estado statename stateprovince provincename canton kanton sitestate regione administrativearea"},
	{PostalCode, "zip zipcode postalcode postcode plz postleitzahl codepostal codigopostal cep cap postnummer psc kodpocztowy zipcode5 postal sitezip pincode"},
	{Country, "country countryname land pays pais paese kraj nation nationality nationalite staat sitecountry citizenship"},
	{CountryCode, "countrycode countryiso isocountry countryiso2 countrycd laendercode landcode codepays countryalpha2 iso2 iso3166"},
	{Latitude, "lat latitude geolat breitengrad locationlat gpslat"},
	{Longitude, "lon lng long longitude geolon geolng laengengrad locationlon locationlng gpslon gpslng"},
	{FullAddress, "address fulladdress postaladdress mailingaddress homeaddress billingaddress shippingaddress deliveryaddress addr anschrift adresse direccion endereco indirizzo adres addresstext formattedaddress location siteaddressfull residence domicile"},

	{Company, "company companyname organization organisation organizationname organisationname orgname firm firma firmenname unternehmen entreprise empresa societe azienda employer vendor manufacturer supplier suppliername vendorname hersteller lieferant brand carrier merchant merchantname publisher bankname institution razonsocial"},
	{Department, "department dept abteilung departementname departamento division businessunit costcenter costcentre team"},
	{JobTitle, "jobtitle job position occupation profession beruf role jobrole jobposition roletitle designation stellenbezeichnung puesto cargo poste"},
	{VATID, "vatid vat vatnumber vatno taxid taxnumber taxidnumber ustid ustidnr umsatzsteuerid steuernummer tvaintracom numerotva nif cif nip cnpj partitaiva ein tin"},

	{IBAN, "iban ibannumber bankiban"},
	{BIC, "bic swift swiftcode biccode swiftbic"},
	{CreditCard, "creditcard creditcardnumber ccnumber ccnum cardnumber cardno pan kreditkarte kartennummer debitcard"},
	{Currency, "currency currencycode currencyiso curr waehrung devise moneda moeda valuta isocurrency"},
	{Amount, "amount amt total totalamount subtotal grandtotal balance sum betrag summe gesamtbetrag montant importe monto valor importo kwota bedrag netamount grossamount net gross discount discountamount fee fees paid amountpaid amountdue taxamount refund refundamount credit debit revenue turnover budget salary wage income gehalt cost costs deposit limitamount saldo charge amountcents totalcents mrr arr"},
	{Price, "price unitprice listprice saleprice preis einzelpreis prix precio preco prezzo cena prijs netprice grossprice retailprice pricecents costprice msrp unitcost"},
	{Quantity, "quantity qty menge anzahl quantite cantidad quantidade aantal stock stocklevel onhand inventorycount units stueckzahl itemcount"},
	{TaxRate, "taxrate vatrate mwst mwstsatz steuersatz tauxtva taxpercent taxpercentage vatpercent iva tva"},
	{AccountNumber, "accountnumber accountno acctno acctnumber bankaccount bankaccountnumber kontonummer kontonr konto numerocompte numerodecuenta rekeningnummer routingnumber sortcode customernumber customerno kundennummer kundennr membernumber"},

	{URL, "url uri link href website homepage web webpage site siteurl weburl websiteurl imageurl avatarurl photourl callbackurl webhook webhookurl redirecturl redirecturi redirect referrer referer avatar endpoint endpointurl baseurl jmxendpoint externalurl permalink guid canonicalurl profileurl logourl thumbnailurl image imagelink feedurl iwapi httpproxy samlssourl samlslourl sourceurl landingpage picture photo logo thumbnail tracebackurl idpentityid spentityid originurl ssourl slourl tileurl menuurl actionurl notesurl"},
	{Domain, "domain domainname emaildomain customdomain subdomain tld fqdndomain sitedomain"},
	{Hostname, "hostname host server servername fqdn machine machinename nodename dns dnsname listendns ldaphost smtpserver dbhost remotehost proxyaddress vhost instancehost workstation smtphelo rechner proxyhost"},
	{IPv4, "ip ipaddress ipaddr ipv4 ipv4address clientip remoteip remoteaddr remoteaddress sourceip srcip dstip destip lastip lastloginip signupip attemptip listenip currentsigninip lastsigninip oobip gateway router netmask hostrouter hostnetmask userip serverip createdip loginip"},
	{IPv6, "address6 addr6 ipv6 ipv6address ip6 ipv6addr"},
	{MAC, "mac macaddress macaddr hwaddr hardwareaddress ethernetaddress"},
	{UserAgent, "useragent ua browseragent httpuseragent browser clientagent agent"},
	{Path, "path filepath filelocation directory dir folder folderpath storagepath sourcepath origpath execpath pfad chemin ruta relativepath uripath pagepath requestpath urlpath route mountpoint storagekey objectkey s3key menupath sslcertfile sslkeyfile contentaddress attachmentpath"},
	{Slug, "slug permalinkslug urlkey urlslug handleslug seoname postname nicename"},
	{MIMEType, "mime mimetype contenttype mediamimetype filetype filemimetype majormime minormime filecontenttype attachmentcontenttype mediacontenttype"},
	{FileName, "filename originalfilename attachmentname attachment attachmentfilename dateiname nomfichier nombrearchivo nomearquivo archivename document documentname uploadname imagename imgname iconimage avatarfilename"},

	{UUID, "uuid publicuuid externaluuid"},
	{ExternalID, "externalid extid externalreference externalref extref foreignid remoteid sourceid providerid thirdpartyid stripeid stripecustomerid stripesubscriptionid stripepaymentid stripepriceid paypalid salesforceid hubspotid customerref legacyid importid transactionref paymentref paymentintentid chargeid messageid correlationid traceid requestid referenceid publicid objectguid resourceid nanoid shortid cuid instanceid remoteref"},
	{Token, "token accesstoken refreshtoken authtoken resettoken resetpasswordtoken confirmationtoken rememberme remembertoken invitetoken invitationtoken csrftoken emailtoken verificationtoken bearertoken devicetoken pushtoken otp otpsecret totpsecret secret clientsecret appsecret sharedsecret webhooksecret signingsecret activationkey activationcode unlocktoken jobtoken usertoken idtoken nonce encryptionkey privatekey sshkey tlspsk psk publickey activationtoken passphrase authpassphrase privpassphrase community snmpcommunity certificate smimecertificate usersecret mfasecret twofactorsecret recoverycodes backupcodes signingkey secretkey"},
	{PasswordHash, "password passwd passwordhash pass pwd hashedpassword encryptedpassword userpassword passworddigest pwhash passwort kennwort motdepasse contrasena senha parola newpassword userpass passwordencrypted ldapbindpassword ipmipassword sslkeypassword httppassword wachtwoord haslo pswd oldpassword passwordsalt salt"},
	{APIKey, "apikey apitoken appkey apisecret accesskey accesskeyid licensekey licencekey clientkey publishablekey subscriptionkey awskey integrationkey"},
	{SessionID, "sessionid sessid sessionkey sessiontoken sid sessionidentifier hasessionid phpsessid"},
	{MD5, "md5 md5hash md5sum hashmd5 checksummd5 filemd5 emailmd5"},
	{SHA1, "sha1 sha1hash sha1sum sha commitsha headsha gitsha basesha commithash commitid revisionsha namechecksum propertieschecksum"},
	{SHA256, "sha256 sha256hash sha256sum filesha256 contenthash digest checksumsha256 filehash fingerprint checksum hash"},
	{SKU, "sku productcode itemcode articlenumber artikelnummer itemnumber productnumber ean upc gtin barcode partnumber partno skucode materialnumber modelnumber serialnumber serialno serial assettag isbn mpn"},
	{OrderNumber, "ordernumber orderno orderref orderreference bestellnummer ponumber purchaseorder numerocommande pedido trackingnumber trackingcode shipmentnumber ticketnumber contractnumber confirmationnumber bookingreference bookingref casenumber"},
	{InvoiceNumber, "invoicenumber invoiceno invoiceref rechnungsnummer rechnungsnr numerofacture numerofactura billnumber receiptnumber creditnotenumber"},
	{Version, "version versionnumber appversion clientversion softwareversion release releaseversion schemaversion apiversion semver firmwareversion osversion browserversion clientver appver"},
	{Locale, "locale lang language languagecode lc preferredlanguage preferredlocale sprache langue idioma lingua taal defaultlang defaultlanguage uilanguage lclang defaultlocale"},
	{TimeZone, "timezone tz timezonename tzname zeitzone fuseauhoraire zonahoraria iananame defaulttimezone"},
	{Color, "color colour hexcolor hexcolour backgroundcolor bgcolor fontcolor bordercolor farbe couleur couleurhex themecolor unackcolor ackcolor primarycolor accentcolor linecolor textcolor"},

	{TitleText, "title titel titre titulo titolo headline heading subject betreff subjectline objet asunto assunto caption pagetitle posttitle metatitle seotitle subtitle posttitletext emailsubject threadtitle"},
	{Sentence, "sentence summary shortdescription excerpt tagline slogan abstract metadescription question confirmation lasterror errormessage hint tooltip entryhint alttext teaser resumen reason errortext zusammenfassung error failurereason iconimagealt statusmessage reasontext attribution prompt"},
	{Paragraph, "body bodytext content contents fulltext longtext article articlebody text inhalt contenu contenido conteudo paragraph biography bio about aboutme aboutus postcontent messagebody transcript fulldescription longdescription signature output longoutput plaintext oldtext texte texto largecontent instructions story lyrics emailbody answer abouttext terms termstext policy ostext"},
	{Comment, "comment comments note notes remark remarks bemerkung bemerkungen kommentar commentaire comentario observaciones message msg feedback reviewtext review notiz anmerkung memo internalnotes nota opmerking sitenotes commenttext adminnotes ordernotes deliverynotes nachricht mensaje mensagem reply"},
	{Description, "description desc descr beschreibung descripcion descrizione descricao details detail omschrijving descriptiontext info information longdesc shortdesc productdescription"},
	{NameOfThing, "name productname itemname product produkt produktname artikel artikelname label displayname eventname projectname groupname planname campaignname roomname coursename bezeichnung resourcename rolename modelname zonename propname itemtitle taskname jobname queuename hardware software os objectname pluginname volumename poolname storagename categoryname checkcommandname eventcommandname clientname libelle teamname channelname workspacename planlabel contextname securityname featurename servicename"},
	{Tag, "tag tags keyword keywords stichwort category kategorie categorie categoria genre topic subjecttag labels schlagwort oldtag newtag hashtag hashtags subcategory segment"},
	{Code, "code shortcode couponcode promocode vouchercode discountcode referralcode invitecode errorcode kuerzel abbreviation abbr acronym codigo kod promo coupon statuscode reasoncode currencysymbol unitcode airportcode accesscode gradecode cd"},
	{Status, "status state statut estado stato stan statustext orderstatus paymentstatus jobstatus accountstatus zustand deploymentstatus lifecycle usstatus volstatus subscriptionstatus shippingstatus fulfillmentstatus stage phase workflowstate priority prioritylevel"},

	{JSON, "json jsondata payload metadata rawjson requestbody responsebody eventdata propertiesjson customattributes customfields jsonpayload jsonconfig settingsjson configjson datajson metajson"},
	{Serialized, "serialized serialised serializeddata logparams sessiondata rcparams jobparams ctparams objectdata metavalue optionvalue"},
	{Base64, "base64 base64data encodeddata datauri imagedata base64content"},
	{XML, "xml xmldata xmlcontent xmlpayload rawxml soapbody soaprequest soapresponse"},
	{HTML, "html htmlbody bodyhtml htmlcontent contenthtml htmltext contentrendered renderedhtml htmldescription descriptionhtml markup"},
}

// endings are words that other words are written together with, as in gridcolor.
var endings = []struct {
	word    string
	meaning Meaning
}{{"color", Color}, {"colour", Color}, {"email", Email}, {"password", PasswordHash}, {"username", Username}, {"hostname", Hostname}, {"filename", FileName}, {"phone", Phone}, {"strasse", Street}, {"strase", Street}}

// owners are words in front of a bare "name", or names of tables.
var owners = sync.OnceValue(func() map[string]owner {
	out := map[string]owner{}
	for o, list := range ownerWords {
		for _, w := range strings.Fields(list) {
			out[w] = o
		}
	}
	return out
})

var ownerWords = map[owner]string{
	person: "poc user users customer customers person persons people contact contacts employee employees staff member members author authors patient patients student students teacher " +
		"teachers owner owners lead leads client clients doctor doctors driver drivers guest guests passenger passengers subscriber subscribers kunde kunden benutzer mitarbeiter personne " +
		"personnes clientes cliente usuario usuarios persona personas participant participants attendee attendees applicant applicants candidate candidates agent agents visitor visitors donor donors " +
		"actor beneficiary real creator holder tenantuser player players manager seller buyer recipient sender reviewer",
	organisation: "company companies organization organizations organisation organisations org supplier suppliers vendor vendors firma firmen manufacturer manufacturers merchant merchants employer brand brands bank banks publisher tenant tenants partner partners distributor carrier empresa empresas entreprise entreprises business agency school schools university hospital hospitals club",
	file:         "file files document documents attachment attachments image images img upload uploads filearchive oldimage asset blob blobs photo photos datei dateien picture archive",
	host:         "host hosts server servers machine machines node nodes endpoint proxy hosting dns interface ha vm router switch",
	network:      "ip ipv4 block ipblocks ipb network subnet remote",
	city:         "city cities town towns stadt staedte ville villes ciudad municipality",
	country:      "country countries land laender pays pais paises",
	region:       "region regions state states province provinces county counties bundesland",
	domain:       "domain domains tld",
	path:         "path folder directory dir pathname",
	money:        "currency currencies",
}
