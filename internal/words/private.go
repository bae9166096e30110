package words

import (
	"slices"
	"strings"
)

// Private says why a column must not have its values listed, from its meaning or
// its name, as in "personal: email" or "secret: token"; empty: nothing speaks
// against it. It takes the name of a column, as in "patient_diagnosis", or a
// [Meaning].
func Private(name string) string {
	m := Meaning(name)
	switch {
	case m.Personal():
		return "personal: " + name
	case m.Secret():
		return "secret: " + name
	case slices.Contains(Meanings(), m):
		return ""
	}
	w := split(name)
	for i := range w {
		for n := min(3, len(w)-i); n > 0; n-- {
			key := strings.Join(w[i:i+n], "")
			if n == 1 && publicBehind(w[i+1:]) {
				continue
			}
			if slices.Contains(secretWords, key) || slices.Contains(secretWords, strings.TrimSuffix(key, "s")) {
				return "secret: " + key
			}
			if slices.Contains(personalWords, key) || slices.Contains(personalWords, strings.TrimSuffix(key, "s")) {
				return "personal: " + key
			}
		}
	}
	joined := strings.Join(w, "")
	for _, s := range []string{"passw", "secret", "privatekey", "apikey", "credential", "passphrase"} {
		if strings.Contains(joined, s) && !publicBehind(w[1:]) {
			return "secret: " + s
		}
	}
	for _, s := range []string{"email", "diagnos", "passport", "socialsecurity", "birthda", "phonenum"} {
		if strings.Contains(joined, s) && !publicBehind(w[1:]) {
			return "personal: " + s
		}
	}
	return ""
}

// publicBehind reports whether the last of the words makes a column one that
// tells about a private thing without being it: token_expires_at, email_verified.
func publicBehind(w []string) bool {
	if len(w) == 0 {
		return false
	}
	switch w[len(w)-1] {
	case "at", "on", "time", "expires", "expiry", "expired", "count", "enabled", "disabled", "verified", "confirmed", "required", "type", "length", "rules", "attempts", "timeout", "policy", "status", "method", "id", "kind", "authenticated":
		return true
	}
	return false
}

var secretWords = strings.Fields(`secret token password passwd pwd pass passphrase passcode pin otp totp psk salt nonce credential credentials cookie session
	privatekey secretkey apikey accesskey sshkey encryptionkey signingkey keymaterial masterkey licensekey licencekey activationkey authkey pgpkey
	recoverycode backupcode securityanswer secretanswer cvv cvc csrf jwt oauth certificate keystore wallet seedphrase mnemonic community passwort kennwort
	contrasena senha hash digest webhooksecret bearer refreshtoken clientsecret presharedkey`)

var personalWords = strings.Fields(`ssn socialsecurity socialsecuritynumber sin nino nationalid nationalinsurance personalnumber personnummer passport passportno passportnumber
	taxid taxnumber tin itin ein steuernummer steuerid cpf cnpj dni nif curp rut bsn pesel aadhaar licenseplate licenceplate plate vin
	driverlicense driverslicense drivinglicence idcard idnumber identitynumber
	diagnosis diagnose diagnoses diagnostic icd10 medication prescription disease allergy allergies illness symptom bloodtype bloodgroup medical health healthstatus disability pregnancy treatment insurancenumber mrn
	salary wage income gehalt lohn payroll compensation bonus creditscore debt
	religion ethnicity race politicalparty politicalview sexualorientation maritalstatus nationality citizenship unionmember biometric faceprint fingerprint criminalrecord
	birth birthdate birthday dob birthplace placeofbirth mothersmaidenname maidenname spouse nextofkin emergencycontact
	email mail phone telephone mobile fax iban creditcard cardnumber bankaccount accountnumber routingnumber sortcode
	firstname lastname surname givenname familyname fullname realname nickname username login forename middlename
	street address addr zip postcode latitude longitude geolocation gps location coordinates
	ip ipaddress ipaddr macaddress imei imsi deviceid useragent`)
