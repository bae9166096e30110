package words

import "strings"

var countryCodes = strings.Fields(`US GB DE FR ES IT NL BR CA AU IN CN JP KR MX PL SE CH AT BE PT DK NO FI IE CZ GR TR RU UA RO HU ZA AR CL CO PE SG MY TH ID PH VN TW HK NZ IL AE SA EG NG KE MA TN DZ
	GH ET TZ UG SN CI CM AO MZ ZM ZW BW NA MU RW SK SI HR RS BG LT LV EE IS LU MT CY AL MK BA ME MD BY GE AM AZ KZ UZ KG TJ TM MN PK BD LK NP BT MM KH LA BN MO KW QA BH OM YE JO LB SY IQ IR AF
	CR PA GT HN SV NI DO CU HT JM TT BB BS BZ GY SR EC BO PY UY VE FJ PG SB VU WS TO KI TV NR PW FM MH LY SD SS ER DJ SO BI MW LS SZ MG SC KM CV GM GN GW LR SL ML BF NE TD CF CG CD GA GQ ST BJ TG MR
	EH LI MC SM VA AD PS TL MV AW CW SX BM KY VG VI AI MS TC GP MQ GF RE YT PM WF PF NC AX FO GL GI IM JE GG SJ BV HM AQ GS IO CC CX NF NU TK CK AS GU MP PR UM FK SH PN TF BL MF BQ GD LC VC AG DM KN`)

var countryNames = list(`United_States United_Kingdom Germany France Spain Italy Netherlands Brazil Canada Australia India China Japan Mexico Poland Sweden Switzerland Austria Belgium Portugal
	Denmark Norway Finland Ireland Greece Turkey Ukraine Romania Hungary South_Africa Argentina Chile Colombia Peru Singapore Malaysia Thailand Indonesia Philippines Vietnam New_Zealand Israel Egypt
	Nigeria Kenya Morocco Tunisia Ghana Slovakia Slovenia Croatia Serbia Bulgaria Lithuania Latvia Estonia Iceland Luxembourg Malta Cyprus Uruguay Ecuador Costa_Rica Panama Jordan Qatar`)

var currencies = strings.Fields(`EUR USD GBP CHF JPY CAD AUD SEK NOK DKK PLN CZK HUF CNY INR BRL MXN TRY ZAR KRW SGD HKD NZD THB IDR MYR PHP ILS AED SAR EGP UAH RON BGN RUB ARS CLP COP PEN VND TWD NGN KES MAD
	PKR BDT LKR KZT GEL ISK RSD ALL MKD BAM MDL AMD AZN UZS TND DZD GHS ETB TZS UGX XOF XAF QAR KWD BHD OMR JOD LBP CRC GTQ HNL NIO PAB DOP JMD TTD UYU BOB PYG FJD XPF MUR NAD BWP ZMW MZN AOA`)

var jobTitles = list(`Software_Engineer Sales_Manager Accountant Project_Manager Nurse Teacher Analyst Consultant Designer Account_Executive Office_Manager Engineer Product_Manager Technician Electrician
	Marketing_Manager Administrator Data_Scientist Support_Specialist Recruiter Controller Architect Driver Chef Lawyer Researcher Buyer Operations_Manager Team_Lead Director Assistant Clerk Editor
	Translator Mechanic Pharmacist Physiotherapist Copywriter Auditor Receptionist Store_Manager Warehouse_Manager Planner Scientist Managing_Director Head_of_Sales Head_of_Finance`)

var departments = list(`Sales Marketing Engineering Finance Support Operations Human_Resources IT Purchasing Legal Logistics Research Production Quality Customer_Service Accounting Product Design Security
	Facilities Administration Training Communications Compliance`)

var mimeTypes = strings.Fields(`image/jpeg application/pdf image/png text/plain text/html application/json application/octet-stream image/gif text/csv application/zip
	application/vnd.openxmlformats-officedocument.wordprocessingml.document application/vnd.openxmlformats-officedocument.spreadsheetml.sheet video/mp4 image/svg+xml audio/mpeg application/xml
	image/webp application/msword application/vnd.ms-excel text/calendar message/rfc822 application/gzip text/css text/javascript font/woff2 image/tiff audio/ogg video/webm application/x-tar multipart/mixed`)

var extensions = strings.Fields("pdf jpg png docx xlsx txt csv zip html json svg mp4 pptx xml gif md log tar.gz odt webp")

var localeTags = strings.Fields(`en_US en_GB de_DE fr_FR es_ES it_IT nl_NL pt_BR pl_PL sv_SE da_DK nb_NO fi_FI cs_CZ hu_HU ro_RO tr_TR ru_RU uk_UA el_GR ja_JP zh_CN zh_TW ko_KR ar_EG he_IL hi_IN th_TH vi_VN
	id_ID pt_PT es_MX fr_CA en_CA en_AU en_IN de_AT de_CH fr_CH fr_BE nl_BE sk_SK sl_SI hr_HR sr_RS bg_BG lt_LT lv_LV et_EE ca_ES`)

var timeZones = strings.Fields(`UTC Europe/Berlin America/New_York Europe/London Europe/Paris America/Los_Angeles America/Chicago Europe/Madrid Europe/Rome Europe/Amsterdam America/Sao_Paulo Asia/Tokyo Asia/Kolkata
	Asia/Shanghai Australia/Sydney America/Toronto Europe/Warsaw Europe/Stockholm Europe/Vienna Europe/Zurich Europe/Prague Europe/Istanbul Europe/Athens Europe/Kyiv Europe/Moscow Asia/Singapore Asia/Seoul
	Asia/Dubai Africa/Cairo Africa/Johannesburg Africa/Lagos Asia/Jerusalem America/Mexico_City America/Denver America/Phoenix America/Bogota America/Lima America/Santiago Pacific/Auckland Asia/Bangkok
	Asia/Jakarta Asia/Manila Asia/Hong_Kong Europe/Lisbon Europe/Dublin Europe/Helsinki Europe/Oslo Europe/Copenhagen Europe/Brussels Europe/Budapest Asia/Kathmandu Australia/Adelaide America/St_Johns`)

var statuses = strings.Fields("active pending completed inactive cancelled failed draft archived processing closed open approved rejected suspended expired new deleted paused")

var tags = strings.Fields(`new sale urgent internal archive travel books office garden music sports food health home kitchen outdoor school news review beta featured popular summer winter tools paper
	design coffee family business local seasonal`)

var userAgents = []string{
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/#.0.0.0 Safari/537.36",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.# Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/#.0.0.0 Mobile Safari/537.36",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.# Safari/605.1.15",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/#.0.0.0 Safari/537.36",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:#.0) Gecko/20100101 Firefox/128.0",
	"Mozilla/5.0 (X11; Linux x86_64; rv:#.0) Gecko/20100101 Firefox/128.0",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/#.0.0.0 Safari/537.36 Edg/126.0.0.0",
	"curl/8.#.0", "python-requests/2.#.1", "okhttp/4.#.0", "Go-http-client/1.1",
}
