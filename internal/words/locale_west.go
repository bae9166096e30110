package words

// sources are the locales: frequent names, the bigger cities, and everyday words.
var sources = append(western, eastern...)

var western = []source{
	{code: "en", country: "US", land: "United States", numberFirst: true, phone: "+1 (2#2) 555-01##",
		male:   "James John Robert Michael William David Richard Joseph Thomas Charles Christopher Daniel Matthew Anthony Mark Steven Paul Andrew Joshua Kevin Brian George Timothy Ronald Jason Edward Jeffrey Ryan Jacob Gary Nicholas Eric Jonathan Stephen Larry Justin Scott Brandon Benjamin Samuel Gregory Frank Patrick Raymond Jack Dennis Tyler Aaron Adam Nathan Oliver Harry Noah Liam",
		female: "Mary Patricia Jennifer Linda Elizabeth Barbara Susan Jessica Sarah Karen Lisa Nancy Betty Sandra Margaret Ashley Kimberly Emily Donna Michelle Carol Amanda Melissa Deborah Stephanie Rebecca Laura Sharon Cynthia Kathleen Amy Angela Shirley Anna Brenda Pamela Emma Nicole Helen Samantha Katherine Christine Rachel Carolyn Janet Olivia Sophia Isabella Mia Charlotte Amelia Grace Chloe",
		family: "Smith Johnson Williams Brown Jones Garcia Miller Davis Wilson Anderson Taylor Thomas Moore Jackson Martin Lee Thompson White Harris Clark Lewis Robinson Walker Young Allen King Wright Scott Hill Green Adams Nelson Baker Hall Campbell Mitchell Carter Roberts Phillips Evans Turner Parker Collins Edwards Stewart Morris Murphy Cook Rogers Morgan Cooper Peterson Reed Bailey Bell Kelly Howard Ward Cox Richardson Wood Watson Brooks Bennett Gray Hughes Price Myers Long Foster O'Brien",
		places: `New York|New York|100##|40.71|-74.00
			Los Angeles|California|900##|34.05|-118.24
			Chicago|Illinois|606##|41.87|-87.62
			Houston|Texas|770##|29.76|-95.36
			Phoenix|Arizona|850##|33.44|-112.07
			Philadelphia|Pennsylvania|191##|39.95|-75.16
			San Antonio|Texas|782##|29.42|-98.49
			San Diego|California|921##|32.71|-117.16
			Dallas|Texas|752##|32.77|-96.79
			Austin|Texas|787##|30.26|-97.74
			Columbus|Ohio|432##|39.96|-82.99
			Seattle|Washington|981##|47.60|-122.33
			Denver|Colorado|802##|39.73|-104.99
			Boston|Massachusetts|021##|42.36|-71.05
			Nashville|Tennessee|372##|36.16|-86.78
			Portland|Oregon|972##|45.51|-122.67
			Atlanta|Georgia|303##|33.74|-84.38
			Miami|Florida|331##|25.76|-80.19`,
		streets:   "Main_Street Oak_Street Maple_Avenue Park_Avenue Cedar_Street Elm_Street Washington_Street Lake_Drive Hill_Road Pine_Street Church_Street High_Street Mill_Road River_Road Sunset_Boulevard Lincoln_Avenue Jackson_Street Franklin_Street Highland_Avenue Spring_Street Walnut_Street Chestnut_Street School_Lane Station_Road",
		ends:      "Inc. LLC Ltd Group Corp. Partners & Sons",
		nouns:     "time year people way day thing world life hand part child place work week case point company number group problem fact order customer report office project market system service plan price account product result change team question road morning table letter garden window paper story train river bridge machine station island winter summer city house street coffee",
		verbs:     "makes takes finds gives needs shows keeps brings holds writes moves follows changes opens offers sends builds covers returns carries",
		adjective: "new good first last long great little own other old right big high different small large next early young important few public same able local quiet bright simple clear warm fresh green open steady broad"},
	{code: "de", country: "DE", land: "Deutschland", codeFirst: true, phone: "+49 30 23125 ###",
		male:   "Peter Michael Thomas Andreas Wolfgang Klaus Jürgen Stefan Christian Uwe Werner Frank Hans Markus Matthias Martin Bernd Alexander Daniel Jörg Dieter Tobias Sebastian Jan Florian Philipp Lukas Leon Paul Jonas Felix Maximilian Elias Ben Moritz Björn Günther Heinz Karl Tim",
		female: "Maria Ursula Monika Petra Elisabeth Sabine Renate Helga Karin Brigitte Ingrid Erika Andrea Gisela Claudia Susanne Gabriele Christa Christine Hildegard Anna Birgit Barbara Gertrud Heike Stefanie Nicole Julia Katharina Laura Lena Lea Hannah Sophie Emma Mia Jana Käthe Jutta Silke",
		family: "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch Bauer Richter Klein Wolf Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Schmitt Werner Krause Lehmann Köhler Maier König Walter Mayer Huber Kaiser Fuchs Peters Lang Scholz Möller Weiß Jung Hahn Schubert Vogel Friedrich Keller Günther Frank Berger Winkler Roth Beck Lorenz Baumann Franke Albrecht Schuster Böhm",
		places: `Berlin|Berlin|10###|52.52|13.40
			Hamburg|Hamburg|20###|53.55|9.99
			München|Bayern|80###|48.13|11.58
			Köln|Nordrhein-Westfalen|50###|50.93|6.96
			Frankfurt am Main|Hessen|60###|50.11|8.68
			Stuttgart|Baden-Württemberg|70###|48.77|9.18
			Düsseldorf|Nordrhein-Westfalen|40###|51.22|6.77
			Leipzig|Sachsen|04###|51.33|12.37
			Dortmund|Nordrhein-Westfalen|44###|51.51|7.46
			Bremen|Bremen|28###|53.07|8.80
			Dresden|Sachsen|01###|51.05|13.73
			Hannover|Niedersachsen|30###|52.37|9.73
			Nürnberg|Bayern|90###|49.45|11.07
			Mainz|Rheinland-Pfalz|55###|49.99|8.24`,
		streets:   "Hauptstraße Schulstraße Gartenstraße Bahnhofstraße Dorfstraße Bergstraße Birkenweg Lindenstraße Kirchstraße Waldstraße Ringstraße Schillerstraße Goethestraße Wiesenweg Mühlenweg Amselweg Rosenstraße Feldstraße Buchenweg Mozartstraße Marktplatz",
		ends:      "GmbH AG KG OHG GmbH_&_Co._KG e.K.",
		nouns:     "Zeit Jahr Tag Frage Haus Arbeit Welt Kunde Auftrag Rechnung Termin Bericht Projekt Lieferung Büro Woche Stadt Straße Fenster Garten Brief Zug Brücke Maschine Größe Prüfung Änderung Lösung Übersicht Angebot",
		verbs:     "macht zeigt bringt hält schreibt findet öffnet ändert folgt gibt nimmt sucht prüft liefert schließt",
		adjective: "neu gut groß klein alt jung lang kurz früh spät schön ruhig hell einfach klar warm frisch grün offen wichtig"},
	{code: "fr", country: "FR", land: "France", numberFirst: true, codeFirst: true, phone: "+33 1 99 00 ## ##",
		male:   "Jean Pierre Michel André Philippe Alain Jacques Bernard Nicolas Christophe Patrick Daniel Laurent François Frédéric Thomas Julien Éric Sébastien Olivier Pascal Stéphane Guillaume Antoine Hugo Lucas Louis Gabriel Raphaël Léo Jules Arthur Mathieu Maxime Rémi Benoît Clément Théo",
		female: "Marie Nathalie Isabelle Sylvie Catherine Françoise Martine Monique Christine Valérie Sandrine Véronique Nicole Stéphanie Sophie Céline Chantal Patricia Anne Brigitte Julie Aurélie Laurence Émilie Camille Léa Manon Chloé Inès Louise Jade Alice Hélène Zoé Élodie",
		family: "Martin Bernard Thomas Petit Robert Richard Durand Dubois Moreau Laurent Simon Michel Lefebvre Leroy Roux David Bertrand Morel Fournier Girard Bonnet Dupont Lambert Fontaine Rousseau Vincent Muller Lefèvre Faure André Mercier Blanc Guérin Boyer Garnier Chevalier François Legrand Gauthier Garcia Perrin Robin Clément Morin Nicolas Henry Roussel Mathieu Gautier Masson",
		places: `Paris|Île-de-France|750##|48.85|2.35
			Marseille|Provence-Alpes-Côte d'Azur|130##|43.29|5.36
			Lyon|Auvergne-Rhône-Alpes|690##|45.76|4.83
			Toulouse|Occitanie|31###|43.60|1.44
			Nice|Provence-Alpes-Côte d'Azur|06###|43.71|7.26
			Nantes|Pays de la Loire|44###|47.21|-1.55
			Strasbourg|Grand Est|67###|48.57|7.75
			Montpellier|Occitanie|34###|43.61|3.87
			Bordeaux|Nouvelle-Aquitaine|33###|44.83|-0.57
			Lille|Hauts-de-France|59###|50.62|3.05
			Rennes|Bretagne|35###|48.11|-1.67
			Besançon|Bourgogne-Franche-Comté|25###|47.23|6.02`,
		streets:   "rue_de_l'Église rue_Victor_Hugo rue_de_la_République avenue_de_la_Gare rue_du_Moulin place_de_la_Mairie rue_des_Écoles rue_Pasteur boulevard_Voltaire rue_Jean_Jaurès rue_du_Château rue_des_Lilas avenue_Foch rue_de_Verdun chemin_des_Vignes",
		ends:      "SARL SA SAS et_Fils SCOP",
		nouns:     "temps année jour question maison travail monde client commande facture rapport projet livraison bureau semaine ville fenêtre jardin lettre train pont machine équipe marché école café hiver été société réponse",
		verbs:     "montre apporte tient écrit trouve ouvre change suit donne prend cherche vérifie livre ferme reçoit",
		adjective: "nouveau bon grand petit vieux jeune long court tôt calme clair simple chaud frais vert ouvert important léger dernière première"},
	{code: "es", country: "ES", land: "España", codeFirst: true, phone: "+34 000 000 ###",
		male:   "Antonio José Manuel Francisco Juan David Javier Daniel Carlos Jesús Alejandro Miguel Rafael Pedro Pablo Ángel Sergio Fernando Luis Jorge Alberto Álvaro Diego Adrián Raúl Iván Rubén Óscar Ramón Andrés Hugo Mateo Martín Lucas Nicolás",
		female: "María Carmen Ana Isabel Laura Cristina Marta Dolores Lucía Pilar Elena Sara Paula Raquel Rosa Mercedes Beatriz Julia Silvia Patricia Irene Andrea Rocío Mónica Alba Ángela Sonia Sandra Marina Susana Sofía Valentina Inés Nuria Begoña",
		family: "García Rodríguez González Fernández López Martínez Sánchez Pérez Gómez Martín Jiménez Hernández Ruiz Díaz Moreno Muñoz Álvarez Romero Gutiérrez Alonso Navarro Torres Domínguez Ramos Vázquez Ramírez Gil Serrano Morales Molina Blanco Suárez Castro Ortega Delgado Ortiz Marín Rubio Núñez Medina Sanz Castillo Iglesias Cortés Garrido Santos Guerrero Lozano Cano Méndez Ibáñez",
		places: `Madrid|Madrid|280##|40.41|-3.70
			Barcelona|Cataluña|080##|41.38|2.17
			Valencia|Comunidad Valenciana|460##|39.46|-0.37
			Sevilla|Andalucía|410##|37.38|-5.98
			Zaragoza|Aragón|500##|41.64|-0.88
			Málaga|Andalucía|290##|36.72|-4.42
			Murcia|Murcia|300##|37.99|-1.13
			Bilbao|País Vasco|480##|43.26|-2.93
			Valladolid|Castilla y León|470##|41.65|-4.72
			A Coruña|Galicia|150##|43.36|-8.41`,
		streets:   "Calle_Mayor Calle_Real Avenida_de_la_Constitución Plaza_de_España Calle_de_la_Iglesia Calle_San_José Calle_del_Sol Avenida_de_Andalucía Calle_Nueva Calle_Cervantes Paseo_del_Prado Calle_de_la_Fuente",
		ends:      "S.L. S.A. Hermanos y_Asociados",
		nouns:     "tiempo año día pregunta casa trabajo mundo cliente pedido factura informe proyecto envío oficina semana ciudad ventana jardín carta tren puente máquina equipo mercado niño mañana camión señal número página",
		verbs:     "muestra trae tiene escribe encuentra abre cambia sigue da toma busca revisa entrega cierra recibe",
		adjective: "nuevo bueno grande pequeño viejo joven largo corto temprano tranquilo claro sencillo cálido fresco verde abierto importante próximo último fácil"},
	{code: "it", country: "IT", land: "Italia", codeFirst: true, phone: "+39 06 0000 ####",
		male:   "Giuseppe Antonio Giovanni Mario Luigi Francesco Angelo Vincenzo Pietro Salvatore Carlo Franco Domenico Bruno Paolo Marco Andrea Luca Alessandro Matteo Lorenzo Davide Simone Stefano Roberto Riccardo Niccolò",
		female: "Maria Anna Giuseppina Rosa Angela Giovanna Teresa Lucia Carmela Caterina Francesca Laura Paola Elena Chiara Sara Giulia Martina Silvia Valentina Federica Alessia Sofia Aurora Ginevra",
		family: "Rossi Russo Ferrari Esposito Bianchi Romano Colombo Ricci Marino Greco Bruno Gallo Conti De_Luca Costa Giordano Mancini Rizzo Lombardi Moretti Barbieri Fontana Santoro Mariani Rinaldi Caruso Ferrara Galli Martini Leone Longo Gentile Martinelli Vitale D'Angelo",
		places: `Roma|Lazio|001##|41.90|12.49
			Milano|Lombardia|201##|45.46|9.19
			Napoli|Campania|801##|40.85|14.26
			Torino|Piemonte|101##|45.07|7.68
			Palermo|Sicilia|901##|38.11|13.36
			Genova|Liguria|161##|44.40|8.94
			Bologna|Emilia-Romagna|401##|44.49|11.34
			Firenze|Toscana|501##|43.76|11.25
			Bari|Puglia|701##|41.11|16.87
			Verona|Veneto|371##|45.43|10.99`,
		streets:   "Via_Roma Via_Garibaldi Via_Mazzini Corso_Italia Via_Dante Via_Verdi Piazza_del_Duomo Via_Cavour Viale_Europa Via_della_Libertà",
		ends:      "S.r.l. S.p.A. & Figli S.n.c.",
		nouns:     "tempo anno giorno domanda casa lavoro mondo cliente ordine fattura rapporto progetto consegna ufficio settimana città finestra giardino lettera treno ponte macchina squadra mercato società qualità",
		verbs:     "mostra porta tiene scrive trova apre cambia segue prende cerca verifica consegna chiude riceve è",
		adjective: "nuovo buono grande piccolo vecchio giovane lungo breve presto tranquillo chiaro semplice caldo fresco verde aperto importante"},
	{code: "pt", country: "BR", land: "Brasil", phone: "+55 11 0000-0###",
		male:   "José João Antônio Francisco Carlos Paulo Pedro Lucas Luiz Marcos Gabriel Rafael Daniel Marcelo Bruno Eduardo Felipe Rodrigo Manoel Mateus André Fernando Fábio Leonardo Gustavo Guilherme Thiago",
		female: "Maria Ana Francisca Antônia Adriana Juliana Márcia Fernanda Patrícia Aline Sandra Camila Amanda Bruna Jéssica Letícia Júlia Luciana Vanessa Mariana Gabriela Vitória Larissa Cláudia Beatriz",
		family: "Silva Santos Oliveira Souza Rodrigues Ferreira Alves Pereira Lima Gomes Costa Ribeiro Martins Carvalho Almeida Lopes Soares Fernandes Vieira Barbosa Rocha Dias Nascimento Andrade Moreira Nunes Marques Machado Mendes Freitas Cardoso Ramos Gonçalves Araújo Conceição",
		places: `São Paulo|São Paulo|01###-###|-23.55|-46.63
			Rio de Janeiro|Rio de Janeiro|20###-###|-22.90|-43.17
			Belo Horizonte|Minas Gerais|30###-###|-19.91|-43.93
			Salvador|Bahia|40###-###|-12.97|-38.50
			Fortaleza|Ceará|60###-###|-3.73|-38.52
			Curitiba|Paraná|80###-###|-25.42|-49.27
			Recife|Pernambuco|50###-###|-8.05|-34.88
			Porto Alegre|Rio Grande do Sul|90###-###|-30.03|-51.21
			Brasília|Distrito Federal|70###-###|-15.79|-47.88`,
		streets:   "Rua_das_Flores Rua_São_José Avenida_Brasil Rua_XV_de_Novembro Rua_Sete_de_Setembro Avenida_Paulista Rua_da_Paz Rua_Santo_Antônio Travessa_do_Sol",
		ends:      "Ltda. S.A. ME e_Filhos",
		nouns:     "tempo ano dia pergunta casa trabalho mundo cliente pedido fatura relatório projeto entrega escritório semana cidade janela jardim carta trem ponte máquina equipe mercado coração informação manhã página",
		verbs:     "mostra traz tem escreve encontra abre muda segue dá toma busca verifica entrega fecha recebe",
		adjective: "novo bom grande pequeno velho jovem longo curto cedo tranquilo claro simples quente fresco verde aberto importante último próximo"},
	{code: "nl", country: "NL", land: "Nederland", codeFirst: true, phone: "+31 20 000 0###",
		male:   "Jan Johannes Willem Hendrik Cornelis Pieter Peter Gerrit Daan Sem Lucas Bram Thijs Ruben Jeroen Mark Maarten Sander Wouter Koen Bas Joost Tim Luuk",
		female: "Maria Johanna Anna Elisabeth Cornelia Wilhelmina Emma Julia Sophie Lotte Anouk Sanne Femke Marieke Inge Esther Lieke Fleur Eva Noor Roos",
		family: "De_Jong Jansen De_Vries Van_den_Berg Bakker Van_Dijk Visser Janssen Smit Meijer De_Boer Mulder De_Groot Bos Vos Peters Hendriks Van_Leeuwen Dekker Brouwer De_Wit Dijkstra Smits De_Graaf Van_der_Meer Kok Jacobs Vermeulen Willems Koning",
		places: `Amsterdam|Noord-Holland|10## @@|52.36|4.90
			Rotterdam|Zuid-Holland|30## @@|51.92|4.47
			Den Haag|Zuid-Holland|25## @@|52.07|4.30
			Utrecht|Utrecht|35## @@|52.09|5.12
			Eindhoven|Noord-Brabant|56## @@|51.44|5.46
			Groningen|Groningen|97## @@|53.21|6.56
			Maastricht|Limburg|62## @@|50.85|5.69`,
		streets:   "Kerkstraat Schoolstraat Molenstraat Dorpsstraat Hoofdstraat Stationsweg Julianastraat Wilhelminastraat Beatrixstraat Nieuwstraat Lindelaan",
		ends:      "B.V. N.V. V.O.F. en_Zonen",
		nouns:     "tijd jaar dag vraag huis werk wereld klant bestelling factuur verslag project levering kantoor week stad venster tuin brief trein brug machine ploeg markt",
		verbs:     "toont brengt houdt schrijft vindt opent verandert volgt geeft neemt zoekt levert sluit",
		adjective: "nieuw goed groot klein oud jong lang kort vroeg rustig helder eenvoudig warm fris groen open belangrijk"},
	{code: "pl", country: "PL", land: "Polska", codeFirst: true, phone: "+48 22 000 0# ##",
		male:   "Jan Andrzej Piotr Krzysztof Stanisław Tomasz Paweł Józef Marcin Marek Michał Grzegorz Jerzy Tadeusz Adam Łukasz Zbigniew Ryszard Dariusz Henryk Mariusz Kazimierz Wojciech Robert Mateusz Jakub Szymon",
		female: "Anna Maria Katarzyna Małgorzata Agnieszka Krystyna Barbara Ewa Elżbieta Zofia Janina Teresa Joanna Magdalena Monika Jadwiga Danuta Irena Halina Helena Beata Aleksandra Zuzanna Julia Łucja",
		family: "Nowak Kowalski:Kowalska Wiśniewski:Wiśniewska Wójcik Kowalczyk Kamiński:Kamińska Lewandowski:Lewandowska Zieliński:Zielińska Szymański:Szymańska Woźniak Dąbrowski:Dąbrowska Kozłowski:Kozłowska Jankowski:Jankowska Mazur Wojciechowski:Wojciechowska Kwiatkowski:Kwiatkowska Krawczyk Kaczmarek Piotrowski:Piotrowska Grabowski:Grabowska Zając Pawłowski:Pawłowska Król Michalski:Michalska Wróbel Wieczorek Jabłoński:Jabłońska Nowakowski:Nowakowska Majewski:Majewska Stępień",
		places: `Warszawa|mazowieckie|00-###|52.22|21.01
			Kraków|małopolskie|30-###|50.06|19.94
			Łódź|łódzkie|90-###|51.75|19.45
			Wrocław|dolnośląskie|50-###|51.10|17.03
			Poznań|wielkopolskie|60-###|52.40|16.92
			Gdańsk|pomorskie|80-###|54.35|18.64
			Szczecin|zachodniopomorskie|70-###|53.42|14.55
			Lublin|lubelskie|20-###|51.24|22.56`,
		streets:   "ul._Polna ul._Leśna ul._Słoneczna ul._Krótka ul._Szkolna ul._Ogrodowa ul._Lipowa ul._Łąkowa ul._Brzozowa ul._Kwiatowa al._Jana_Pawła_II",
		ends:      "Sp._z_o.o. S.A. s.c.",
		nouns:     "czas rok dzień pytanie dom praca świat klient zamówienie faktura raport projekt dostawa biuro tydzień miasto okno ogród list pociąg most maszyna zespół rynek książka żółw źródło",
		verbs:     "pokazuje przynosi trzyma pisze znajduje otwiera zmienia daje bierze szuka sprawdza zamyka",
		adjective: "nowy dobry duży mały stary młody długi krótki wczesny spokojny jasny prosty ciepły świeży zielony otwarty ważny"},
	{code: "cs", country: "CZ", land: "Česko", codeFirst: true, phone: "+420 000 000 ###",
		male:   "Jiří Jan Petr Josef Pavel Martin Tomáš Jaroslav Miroslav Zdeněk Václav Michal František Jakub Milan Karel Lukáš David Vladimír Ondřej Ladislav Marek Roman Stanislav Daniel Radek Vojtěch Matěj",
		female: "Jana Marie Eva Hana Anna Lenka Kateřina Věra Lucie Alena Petra Veronika Jaroslava Tereza Martina Michaela Jitka Helena Ludmila Zdeňka Ivana Monika Eliška Zuzana Markéta Barbora",
		family: "Novák:Nováková Svoboda:Svobodová Novotný:Novotná Dvořák:Dvořáková Černý:Černá Procházka:Procházková Kučera:Kučerová Veselý:Veselá Horák:Horáková Němec:Němcová Pokorný:Pokorná Marek:Marková Pospíšil:Pospíšilová Hájek:Hájková Jelínek:Jelínková Král:Králová Růžička:Růžičková Beneš:Benešová Fiala:Fialová Sedláček:Sedláčková Doležal:Doležalová Zeman:Zemanová Kolář:Kolářová Krejčí Navrátil:Navrátilová Čermák:Čermáková",
		places: `Praha|Praha|1## 00|50.07|14.43
			Brno|Jihomoravský kraj|6## 00|49.19|16.60
			Ostrava|Moravskoslezský kraj|7## 00|49.82|18.26
			Plzeň|Plzeňský kraj|3## 00|49.74|13.37
			Liberec|Liberecký kraj|46# 01|50.76|15.05
			Olomouc|Olomoucký kraj|77# 00|49.59|17.25
			České Budějovice|Jihočeský kraj|37# 01|48.97|14.47`,
		streets:   "Hlavní Školní Nádražní Zahradní Krátká Polní Lesní Husova Komenského Masarykova Palackého Dlouhá Sokolská",
		ends:      "s.r.o. a.s. k.s.",
		nouns:     "čas rok den otázka dům práce svět zákazník objednávka faktura zpráva projekt dodávka kancelář týden město okno zahrada dopis vlak most stroj tým trh člověk řeka",
		verbs:     "ukazuje přináší drží píše nachází otevírá mění dává bere hledá zavírá",
		adjective: "nový dobrý velký malý starý mladý dlouhý krátký časný klidný jasný jednoduchý teplý čerstvý zelený otevřený důležitý"},
	{code: "sv", country: "SE", land: "Sverige", codeFirst: true, phone: "+46 8 465 004 ##",
		male:   "Lars Mikael Anders Johan Erik Per Karl Peter Thomas Jan Daniel Fredrik Hans Bengt Mats Andreas Stefan Sven Bo Nils Magnus Björn Jörgen Göran Håkan William Oscar Elias",
		female: "Anna Eva Maria Karin Sara Kristina Lena Kerstin Emma Ingrid Malin Marie Birgitta Linda Jenny Inger Annika Susanne Elin Monika Hanna Johanna Sofia Carina Åsa Märta Astrid",
		family: "Andersson Johansson Karlsson Nilsson Eriksson Larsson Olsson Persson Svensson Gustafsson Pettersson Jonsson Jansson Hansson Bengtsson Jönsson Lindberg Jakobsson Magnusson Lindström Olofsson Lindqvist Lindgren Berg Axelsson Bergström Lundberg Lind Lundgren Mattsson Sjöberg Åberg",
		places: `Stockholm|Stockholms län|11# ##|59.32|18.06
			Göteborg|Västra Götalands län|41# ##|57.70|11.97
			Malmö|Skåne län|21# ##|55.60|13.00
			Uppsala|Uppsala län|75# ##|59.85|17.63
			Örebro|Örebro län|70# ##|59.27|15.21
			Umeå|Västerbottens län|90# ##|63.82|20.26`,
		streets:   "Storgatan Kyrkogatan Skolgatan Järnvägsgatan Drottninggatan Kungsgatan Ängsvägen Björkvägen Skogsvägen Trädgårdsgatan",
		ends:      "AB HB & Söner",
		nouns:     "tid år dag fråga hus arbete värld kund beställning faktura rapport projekt leverans kontor vecka stad fönster trädgård brev tåg bro maskin grupp marknad människa",
		verbs:     "visar bringar håller skriver hittar öppnar ändrar följer ger tar söker stänger",
		adjective: "ny god stor liten gammal ung lång kort tidig lugn klar enkel varm färsk grön öppen viktig"},
	{code: "tr", country: "TR", land: "Türkiye", codeFirst: true, phone: "+90 212 000 0# ##",
		male:   "Mehmet Mustafa Ahmet Ali Hüseyin Hasan İbrahim İsmail Osman Yusuf Murat Ömer Ramazan Halil Süleyman Abdullah Mahmut Salih Kemal Recep Emre Burak Çağrı Gökhan",
		female: "Fatma Ayşe Emine Hatice Zeynep Elif Meryem Şerife Zehra Sultan Hanife Merve Havva Zeliha Esra Özlem Büşra Yasemin Gülsüm Çiğdem Derya Şule",
		family: "Yılmaz Kaya Demir Şahin Çelik Yıldız Yıldırım Öztürk Aydın Özdemir Arslan Doğan Kılıç Aslan Çetin Kara Koç Kurt Özkan Şimşek Polat Korkmaz Çakır Erdoğdu Güneş",
		places: `İstanbul|İstanbul|34###|41.00|28.97
			Ankara|Ankara|06###|39.93|32.85
			İzmir|İzmir|35###|38.41|27.14
			Bursa|Bursa|16###|40.19|29.06
			Antalya|Antalya|07###|36.89|30.70
			Muğla|Muğla|48###|37.21|28.36`,
		streets:   "Atatürk_Caddesi Cumhuriyet_Caddesi İnönü_Caddesi Gül_Sokak Çınar_Sokak Lale_Sokak Okul_Sokak Bağdat_Caddesi",
		ends:      "A.Ş. Ltd._Şti. ve_Oğulları",
		nouns:     "zaman yıl gün soru ev iş dünya müşteri sipariş fatura rapor proje teslimat ofis hafta şehir pencere bahçe mektup tren köprü makine ekip pazar ağaç ışık",
		verbs:     "gösterir getirir tutar yazar bulur açar değiştirir izler verir alır arar kapatır",
		adjective: "yeni iyi büyük küçük eski genç uzun kısa erken sakin açık basit sıcak taze yeşil önemli güzel"},
}
