"""Every mistake people make in declarations is refused at the right line and column, with words that help.

One mistake is one change of a valid federation; the sign § in the new text marks where the message must point.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import pytest

from polyceph.declarations.federation import load_federation
from polyceph.errors import Invalid
from polyceph.testing.small_federation import contract_text, federation_files, write_federation

TODAY = date(2026, 11, 22)
ROOT = "federation.yaml"
EDUCATION = "domains/education/domain.yaml"
OFFICE = "domains/data_office/domain.yaml"
DEFS = "domains/education/defs/register/defs.yaml"
RAW = "domains/education/contracts/raw/schools.odcs.yaml"
OUTPUT = "domains/education/contracts/output/pupils_by_school.odcs.yaml"
SOURCES = "domains/education/transform/models/sources.yml"
MODEL = "domains/education/transform/models/gold/pupils_by_school.sql"


@dataclass(frozen=True)
class Mistake:
    """`old` becomes `new` in `file` (all of the file when old is None); `says` must be in the message."""

    name: str
    file: str
    old: str | None
    new: str
    says: tuple[str, ...]
    others: int = 0
    """How many further problems this one brings along."""
    remove: tuple[str, ...] = ()
    add: dict[str, str] = field(default_factory=dict)

    def files(self) -> dict[str, str]:
        files = {path: text for path, text in federation_files().items() if path not in self.remove} | self.add
        if self.old is not None:
            assert self.old in files[self.file], f"{self.name}: {self.old!r} is not in {self.file}"
            files[self.file] = files[self.file].replace(self.old, self.new, 1)
        elif self.new:
            files[self.file] = self.new
        return files


def m(name: str, file: str, old: str | None, new: str, *says: str, **more) -> Mistake:
    return Mistake(name, file, old, new, says, **more)


FEDERATION = [
    m("no federation.yaml", ROOT, None, "", "there is no federation.yaml", "polyceph init", remove=(ROOT,)),
    m("unknown key", ROOT, "people:", "§peple:", "key 'peple' is unknown", "did you mean people?"),
    m("missing key", ROOT, "name: wallonia_demo\n", "§", "key 'name' is missing", "short name of the federation"),
    m("bad name", ROOT, "wallonia_demo", "§Wallonia-Demo", "federation name 'Wallonia-Demo' is not allowed", "write wallonia_demo"),
    m("list where keys belong", ROOT, None, "§- a\n- b\n", "must hold keys and values"),
    m(
        "unknown language",
        ROOT,
        "[fr, en]",
        "[fr, §eng]",
        "languages 'eng' is unknown",
        "good values: fr, nl, de, en",
        "did you mean",
        others=3,
    ),
    m("norway", ROOT, "[fr, en]", "[fr, en, §no]", "languages 'no' is unknown"),
    m(
        "title lacks a language",
        ROOT,
        "title: {fr: Wallonie, en: Wallonia}",
        "§title: {fr: Wallonie}",
        "title is missing in the language 'en'",
    ),
    m("title in a foreign language", ROOT, "en: Wallonia}", "en: Wallonia, §it: Vallonia}", "'it'", "good values: fr, en"),
    m("title that YAML reads as no text", ROOT, "en: Wallonia", "en: §yes", "must be text, not 'yes'", 'write "yes" in quotes'),
    m("storage scheme", ROOT, '"s3://lakes/wallonia"', "§gs://lakes/x", "storage scheme 'gs' is unknown", "s3://…", "az://…"),
    m("storage without a bucket", ROOT, '"s3://lakes/wallonia"', "§s3://", "names no bucket"),
    m("storage missing", ROOT, 'prod: {storage: "s3://lakes/wallonia"}', "§prod: {}", "key 'storage' is missing in prod of environments"),
    m("channel kind", ROOT, "kind: ntfy", "kind: §nfty", "kind 'nfty' is unknown", "good values: ntfy, teams, email", "did you mean ntfy?"),
    m("channel address in clear", ROOT, "STEWARDS_NTFY", "§https://ntfy.sh/x", "must be the name of an environment variable", "not shown"),
    m("person id", ROOT, "  luc.petit:", "  §Luc Petit:", "person id 'Luc Petit' is not allowed", "anne.dupont"),
    m("e-mail", ROOT, "luc.petit@example.org", "§luc.petit", "is no e-mail address"),
    m("day that does not exist", ROOT, "left: 2026-03-31", "left: §2026-02-30", "left must be a date (2026-03-31), not '2026-02-30'"),
    m("day in local order", ROOT, "left: 2026-03-31", "left: §31/03/2026", "left must be a date (2026-03-31), not '31/03/2026'"),
    m("unknown role", ROOT, "people:\n", "roles:\n- {role: §analist, people: [anne.dupont]}\npeople:\n", "role 'analist'", "mean analyst?"),
    m(
        "role of nobody",
        ROOT,
        "people:\n",
        "roles:\n- {role: §auditor}\npeople:\n",
        "nobody is auditor here",
        "name people, groups or both",
    ),
    m(
        "role in an unknown domain",
        ROOT,
        "people:\n",
        "roles:\n- {role: analyst, domain: §educaton, groups: [a]}\npeople:\n",
        "domain 'educaton' is unknown",
        "did you mean education?",
    ),
    m("engineer of everything", ROOT, "people:\n", "roles:\n- {role: §engineer, groups: [a]}\npeople:\n", "is held in a domain", "domain:"),
    m(
        "platform engineer of a domain",
        ROOT,
        "people:\n",
        "roles:\n- {role: §platform engineer, domain: education, groups: [a]}\npeople:\n",
        "held for the federation as a whole",
    ),
    m(
        "role of an unknown person",
        ROOT,
        "people:\n",
        "roles:\n- role: dpo\n  people: [anne.dupont, §ana.dupont]\npeople:\n",
        "'ana.dupont' is no person of the federation",
        "did you mean anne.dupont?",
    ),
    m("role with an unknown key", ROOT, "people:\n", "roles:\n- {role: dpo, §person: [a], groups: [b]}\npeople:\n", "'person' is unknown"),
    m(
        "a secret in clear",
        ROOT,
        "target_env: STEWARDS_NTFY}",
        "target_env: STEWARDS_NTFY, token: §tk_4711}",
        "'token' holds a literal secret",
        others=1,
    ),
]

SIGN_IN = """\
sign_in:
  providers:
    keycloak:
      issuer: https://sso.example.org/realms/wallonia
      client_id: polyceph
      client_secret_env: SIGN_IN_SECRET
"""


def p(name: str, old: str, new: str, *says: str, **more) -> Mistake:
    """Return a mistake in the sign-in of a federation."""
    assert old in SIGN_IN
    return m(name, ROOT, "people:", SIGN_IN.replace(old, new, 1) + "people:", *says, **more)


PROVIDERS = [
    p("issuer without TLS", "https://sso", "§http://sso", "is not https", "whoever is on the way"),
    p("issuer that is no address", "https://sso.example.org/realms/wallonia", "§sso.example.org", "is no address of a provider"),
    p("secret in clear", "SIGN_IN_SECRET", "§hunter2hunter2", "must be the name of an environment variable", "not shown"),
    p("secret under another key", "client_secret_env: SIGN_IN_SECRET", "client_secret: §hunter2", "holds a literal secret", others=1),
    p("unknown key of a provider", "client_id:", "§clientid:", "key 'clientid' is unknown", "did you mean client_id?"),
    p("no client id", "      client_id: polyceph\n", "", "key 'client_id' is missing", others=0),
    p(
        "algorithm that anybody can sign with",
        "client_id:",
        "algorithms: [§HS256]\n      client_id:",
        "algorithms 'HS256' is unknown",
        "RS256",
    ),
    p("no algorithm", "client_id:", "algorithms: [§none]\n      client_id:", "algorithms 'none' is unknown"),
    p("scopes without openid", "client_id:", "scopes: §[email]\n      client_id:", "lack openid"),
    p("host with a path", "client_id:", "hosts: [§https://keys.example.org]\n      client_id:", "is no host", "write the host alone"),
    p("name of a provider", "    keycloak:", "    §Key Cloak:", "provider name 'Key Cloak' is not allowed"),
    p("the local account's name", "    keycloak:", "    §local:", "is the name of the account of this machine"),
    p("sessions without end", "  providers:", "  absolute_hours: §9999\n  providers:", "absolute_hours '9999' is wrong", "168"),
]

YAML = [
    m("tab", ROOT, "environments:\n  dev:", "environments:\n§\tdev:", "a tab stands where spaces are needed", others=-1),
    m("quote never closed", EDUCATION, "contact: stewards", 'contact: §"stewards', "opened here is never closed", others=-1),
    m("two colons", EDUCATION, "contact: stewards", "contact: stewards§: all", "a second ':' on this line", others=-1),
    m("bad start", EDUCATION, "contact: stewards", "contact: §@stewards", "text cannot start with '@'", "in quotes", others=-1),
    m(
        "key twice",
        EDUCATION,
        "steward: marc.leroy",
        "steward: marc.leroy\n§steward: eva.simon",
        "key 'steward' is written twice",
        "line 4",
    ),
    m("key twice in a contract", RAW, "status: active\n", "status: active\n§status: draft\n", "key 'status' is written twice", "line 6"),
    m(
        "octal postcode",
        RAW,
        "        description: Official code.\n",
        "        description: Official code.\n        examples: [§01234]\n",
        '"01234" in quotes',
    ),
    m("base sixty", DEFS, '"0 5 * * *"', "§5:00", "5:00 without quotes is read as a number in base 60"),
    m("undefined alias", EDUCATION, "owner: anne.dupont", "owner: §*anne", "this alias (*name) is defined nowhere", others=-1),
    m("python tag", EDUCATION, "title: {", "title: §!!python/dict {", "YAML tag '!!python/dict' is not allowed"),
    m("empty file", EDUCATION, None, "§# nothing yet\n", "the file is empty", others=-1),
    m("two documents", EDUCATION, "consumes:", "---\n§consumes:", "several documents"),
    m("template without quotes", DEFS, "table: public.schools", "table: {§{ env.TABLE }}", "'{{ … }}'", others=-1),
]

DOMAIN = [
    m(
        "domain gives oversight",
        EDUCATION,
        "consumes:",
        "roles:\n- {role: §auditor, people: [eva.simon]}\nconsumes:",
        "not a domain's to give",
        "federation.yaml, under roles",
    ),
    m("a second owner", EDUCATION, "consumes:", "roles:\n- {role: §owner, people: [eva.simon]}\nconsumes:", "one person answers"),
    m(
        "domain gives a role elsewhere",
        EDUCATION,
        "consumes:",
        "roles:\n- {role: analyst, §domain: data_office, people: [eva.simon]}\nconsumes:",
        "key 'domain' is unknown",
    ),
    m(
        "domain gives a role to somebody unknown",
        EDUCATION,
        "consumes:",
        "roles:\n- {role: analyst, people: [§nobody]}\nconsumes:",
        "'nobody' is no person of the federation",
    ),
    m(
        "no domain.yaml",
        EDUCATION,
        None,
        "",
        "the folder domains/education has no domain.yaml",
        "polyceph domain new education",
        remove=(EDUCATION,),
    ),
    m(
        "name is not the folder",
        EDUCATION,
        "name: education",
        "name: §eduction",
        "'eduction' is not the name of its folder",
        "write name: education",
    ),
    m(
        "unknown owner",
        EDUCATION,
        "owner: anne.dupont",
        "owner: §ane.dupont",
        "owner 'ane.dupont' of domain education",
        "did you mean anne.dupont?",
    ),
    m("owner missing", EDUCATION, "owner: anne.dupont\n", "", "key 'owner' is missing"),
    m("steward missing", EDUCATION, "steward: marc.leroy\n", "", "key 'steward' is missing"),
    m(
        "steward has left",
        EDUCATION,
        "steward: marc.leroy",
        "steward: §luc.petit",
        "steward luc.petit of domain education left on 2026-03-31",
    ),
    m("owner has left, nobody stands in", OFFICE, "owner: eva.simon", "owner: §luc.petit", "left on 2026-03-31", "interim_owner"),
    m(
        "unknown interim owner",
        EDUCATION,
        "interim_owner: eva.simon",
        "interim_owner: §eva",
        "interim owner 'eva' of domain education is no person",
    ),
    m(
        "unknown channel",
        EDUCATION,
        "contact: stewards",
        "contact: §steward",
        "contact 'steward'",
        "good values: stewards",
        "did you mean stewards?",
    ),
    m(
        "title lacks a language of the federation",
        EDUCATION,
        "title: {fr: Enseignement, en",
        "§title: {en",
        "title is missing in the language 'fr'",
    ),
    m(
        "unknown connector",
        EDUCATION,
        "connector: database",
        "connector: §databse",
        "connector 'databse' of source register",
        "did you mean database?",
    ),
    m("no connector", EDUCATION, "    connector: database\n", "", "key 'connector' is missing in register of sources"),
    m(
        "unknown connector option",
        EDUCATION,
        "    port: 5432",
        "    §prt: 5432",
        "key 'prt' is unknown in register of sources",
        "did you mean port?",
    ),
    m(
        "missing connector option",
        EDUCATION,
        "    host: {env: EDUCATION_REGISTER_HOST}\n",
        "",
        "key 'host' is missing in register of sources",
        "server",
    ),
    m("wrong type of option", EDUCATION, "port: 5432", "port: §many", "port must be a whole number, not 'many'"),
    m("wrong key in an inner option", EDUCATION, "{env: EDU", "{§evn: EDU", "key 'evn' is unknown", "did you mean env?"),
    m(
        "a password in clear",
        EDUCATION,
        "    password_env: EDU",
        "    password_env: §hunter2-EDU",
        "must be the name of an environment variable",
    ),
    m("a password in an address", OFFICE, "path: lists", "path: §ftp://me:hunter2@host/lists", "an address with a password in it"),
    m("source name", EDUCATION, "  register:\n", "  §Register:\n", "source name 'Register' is not allowed", others=1),
    m(
        "consumes without a zone",
        EDUCATION,
        "data_office.gold.mun",
        "§data_office.mun",
        "is not the name of a dataset",
        "<domain>.<zone>.<dataset>",
        others=2,
    ),
    m(
        "consumes an unknown domain",
        EDUCATION,
        "data_office.gold.mun",
        "§dataoffice.gold.mun",
        "domain 'dataoffice'",
        "did you mean data_office?",
        others=2,
    ),
    m(
        "consumes an unknown dataset",
        EDUCATION,
        "gold.municipalities",
        "gold.municipality",
        "does not exist",
        "did you mean data_office.gold.municipalities?",
        others=2,
    ),
    m(
        "consumes an inner zone",
        EDUCATION,
        "  - data_office.gold.mun",
        "  - data_office.gold.municipalities\n  - §data_office.raw.mun",
        "inner affair of data_office",
    ),
    m("consumes itself", EDUCATION, "  - data_office", "  - §education.gold.pupils_by_school\n  - data_office", "consumes its own"),
    m(
        "consumes twice",
        EDUCATION,
        "  - data_office.gold.m",
        "  - data_office.gold.municipalities\n  - §data_office.gold.m",
        "consumed twice",
        "line 14",
    ),
    m(
        "a circle",
        OFFICE,
        "contact: stewards\n",
        "contact: stewards\nconsumes: [§education.gold.pupils_by_school]\n",
        "data_office → education → data_office",
    ),
    m(
        "reserved word",
        "domains/select/domain.yaml",
        None,
        "name: §select\ntitle: {fr: a, en: b}\nowner: eva.simon\nsteward: eva.simon\ncontact: stewards\n",
        "'select' is a reserved word of SQL",
    ),
    m("key of another place", EDUCATION, "contact: stewards", "contact: stewards\n§zone: raw", "key 'zone' is unknown"),
]

CODE = "        description: Official code.\n"
CONTRACT = [
    m(
        "limit of another type",
        RAW,
        CODE,
        CODE + "        logicalTypeOptions: {§minimum: 3}\n",
        "key 'minimum' is unknown in logicalTypeOptions",
        "good values: format, maxLength, minLength, pattern",
    ),
    m("pattern is none", RAW, CODE, CODE + '        logicalTypeOptions: {pattern: §"[0-9"}\n', "it is no regular expression"),
    m("pattern looks around", RAW, CODE, CODE + '        logicalTypeOptions: {pattern: §"^(?=a)"}\n', "it looks around or back"),
    m(
        "list of nothing",
        RAW,
        CODE,
        CODE + "        quality: [{type: library, metric: invalidValues, arguments: {validValues: §[]}, mustBe: 0}]\n",
        "the list is empty",
    ),
    m("not ODCS", RAW, None, "§name: schools\n", "key 'apiVersion' is missing", others=-1),
    m("unknown key", RAW, "status: active", "status: active\n§tema: x", "key 'tema' is unknown", "did you mean team?"),
    m("standard too new", RAW, "v3.1.0", "§v3.9.0", "apiVersion 'v3.9.0' is unknown", "v3.1.0"),
    m("standard too old", RAW, "v3.1.0", "§v3.0.2", "apiVersion 'v3.0.2' is unknown", "good values: v3.1.0"),
    m("version as a number", RAW, "version: 1.2.0", "version: §1.10", "version must be text, not '1.10'", "YAML reads 1.10 as 1.1"),
    m(
        "version not semantic",
        RAW,
        "version: 1.2.0",
        "version: §v2",
        "version 'v2' of education.schools is not semantic",
        "write version: 2.0.0",
    ),
    m("status unknown", RAW, "status: active", "status: §actif", "status 'actif' is unknown", "did you mean active?"),
    m("status missing", RAW, "status: active\n", "", "key 'status' is missing"),
    m(
        "name is not the file",
        RAW,
        "name: schools",
        "name: §school",
        "contract name 'school' is not the name of its file",
        "write name: schools",
    ),
    m("another domain", RAW, "domain: education", "domain: §culture", "domain 'culture' is not the folder", "write domain: education"),
    m(
        "unknown zone",
        RAW,
        "value: raw",
        "value: §bronse",
        "zone 'bronse' of education.schools is unknown; zones are raw, bronze, silver, gold, output",
        "did you mean bronze?",
    ),
    m("zone against the folder", RAW, "value: raw", "value: §gold", "says zone 'gold' and stands in the folder 'raw'"),
    m("no zone", RAW, "  - property: zone\n    value: raw\n", "", "the contract has no zone"),
    m(
        "zone twice",
        RAW,
        "  - property: classification",
        "  - property: §zone\n    value: gold\n  - property: classification",
        "'zone' is given twice",
    ),
    m(
        "no classification",
        RAW,
        "  - property: classification\n    value: internal\n",
        "",
        "education.raw.schools has no classification",
        "public, internal",
    ),
    m("classification unknown", RAW, "value: internal", "value: §intern", "classification 'intern' is unknown", "did you mean internal?"),
    m("property misspelt", RAW, "property: classification", "property: §classificaton", "did you mean classification?", others=1),
    m("no owner", RAW, "role: owner", "role: boss", "education.schools has no owner"),
    m("no steward", RAW, "role: steward", "role: helper", "education.schools has no steward", "name a person"),
    m("two owners", RAW, "role: steward", "role: §owner", "has a second owner, 'marc.leroy'", others=1),
    m(
        "owner unknown",
        RAW,
        "username: anne.dupont",
        "username: §anne.dupond",
        "owner 'anne.dupond' of education.schools",
        "did you mean anne.dupont?",
    ),
    m(
        "owner gone",
        "domains/data_office/contracts/raw/municipalities.odcs.yaml",
        "eva.simon",
        "§luc.petit",
        "owner luc.petit of data_office.municipalities left",
    ),
    m("steward gone", RAW, "username: marc.leroy", "username: §luc.petit", "steward luc.petit of education.schools left on 2026-03-31"),
    m("membership ended", RAW, "role: owner", "role: owner\n      dateOut: 2026-01-01", "education.schools has no owner"),
    m("column type unknown", RAW, "logicalType: string", "logicalType: §strng", "logicalType 'strng' is unknown", "did you mean string?"),
    m("column type of the database", RAW, "logicalType: string", "logicalType: §varchar", "logicalType 'varchar' is unknown", "integer"),
    m(
        "column without type",
        RAW,
        "- name: code\n        logicalType: string",
        "- name: §code",
        "column 'code' has no logicalType",
    ),
    m("column without name", RAW, "- name: code\n        logicalType", "- §logicalType", "key 'name' is missing in entry 1 of properties"),
    m("column name", RAW, "name: code", "name: §Code postal", "column name 'Code postal' is not allowed", "write name: code_postal"),
    m("column twice", RAW, "- name: label", "- name: §code", "column 'code' is declared twice", "line 24"),
    m(
        "source column twice",
        RAW,
        "physicalName: Libellé",
        "physicalName: §Code",
        "'code' and 'label' both come from the source column 'Code'",
    ),
    m("column key", RAW, "        required: true", "        §requird: true", "key 'requird' is unknown", "did you mean required?"),
    m("required as a word", RAW, "required: true", "required: §oui", "required must be true or false, not 'oui'"),
    m(
        "personal data unknown",
        RAW,
        "value: none",
        "value: §perso",
        "personalData of column label 'perso' is unknown",
        "none, personal, special category",
    ),
    m(
        "column classification unknown",
        RAW,
        "required: true",
        "classification: §top secret",
        "classification of column code 'top secret' is unknown",
    ),
    m(
        "special category in public",
        RAW,
        None,
        contract_text("education", "raw", "schools").replace("internal", "public").replace("value: none", "value: §special category"),
        "'label' holds a special category",
        "GDPR art. 9",
        "confidential or secret",
    ),
    m("no columns", RAW, "    properties:\n", "    §properties: []\n    x:\n", "the contract promises no column", others=1),
    m("two objects", RAW, "schema:\n", "§schema:\n  - name: other\n", "schema must hold exactly one object, not 2"),
    m("no schema", RAW, "schema:\n", "x:\n", "schema must hold exactly one object", others=1),
    m(
        "team key",
        RAW,
        "- username: anne.dupont",
        "- §usrname: anne.dupont",
        "key 'usrname' is unknown",
        "did you mean username?",
        others=1,
    ),
    m(
        "id taken",
        OUTPUT,
        "id: education-output-pupils_by_school",
        "id: §education-gold-pupils_by_school",
        "is taken",
        "gold/pupils_by_school.odcs.yaml:3:5",
    ),
    m(
        "file name",
        "domains/education/contracts/raw/staff.yaml",
        None,
        "§" + contract_text("education", "raw", "staff"),
        "must end with .odcs.yaml",
        "staff.odcs.yaml",
    ),
    m(
        "contract twice",
        "domains/education/contracts/schools.odcs.yaml",
        None,
        contract_text("education", "raw", "schools").replace("id: education", "id: other"),
        "education.raw.schools has a second contract",
        "schools.odcs.yaml:4:7",
    ),
]

COMPONENTS = [
    m(
        "unknown type",
        DEFS,
        "components.Ingest",
        "components.Ingst",
        "component type",
        "did you mean polyceph.orchestrate.components.Ingest?",
        others=-1,
    ),
    m(
        "short type",
        DEFS,
        "type: polyceph.orchestrate.components.Ingest",
        "type: §Ingest",
        "component type 'Ingest' is unknown",
        "polyceph.orchestrate.components.Ingest",
        others=-1,
    ),
    m("package misspelt", DEFS, "type: polyceph.o", "type: §polycef.o", "did you mean polyceph.orchestrate.components.Ingest?", others=-1),
    m("no type", DEFS, "type: polyceph.orchestrate.components.Ingest\n", "", "a component needs a type", others=-1),
    m(
        "key beside attributes",
        DEFS,
        "attributes:\n  source: register",
        "§schedle: x\nattributes:\n  source: register",
        "key 'schedle' is unknown in a component",
    ),
    m("unknown attribute", DEFS, "  schedule: ", "  §schdule: ", "key 'schdule' is unknown in attributes", "did you mean schedule?"),
    m(
        "unknown source",
        DEFS,
        "source: register",
        "source: §registre",
        "source 'registre' is not declared",
        "domains/education/domain.yaml",
        "did you mean register?",
    ),
    m("schedule", DEFS, '"0 5 * * *"', '§"0 25 * * *"', "hour '25' is not a number from 0 to 23"),
    m("schedule of four fields", DEFS, '"0 5 * * *"', '§"0 5 * *"', "it has 4 fields and needs 5"),
    m("schedule that never comes", DEFS, '"0 5 * * *"', '§"0 5 31 2 *"', "never run"),
    m(
        "dataset option",
        DEFS,
        "      table: public.schools",
        "      §tabel: public.schools",
        "key 'tabel' is unknown",
        "did you mean table?",
    ),
    m(
        "dataset option out of the list",
        DEFS,
        "      table: public.schools",
        "      table: public.schools\n      mode: §ful",
        "mode 'ful' is unknown",
        "snapshot, incremental",
    ),
    m(
        "dataset options together",
        DEFS,
        "    - name: schools",
        "    - §name: schools\n      query: select 1",
        "give exactly one of table and query",
    ),
    m("dataset name", DEFS, "- name: schools", "- name: §Schools", "dataset name 'Schools' is not allowed", "write schools"),
    m(
        "dataset without contract",
        DEFS,
        "- name: pupils\n",
        "- name: §teachers\n",
        "education.raw.teachers has no contract",
        "contracts/teachers.odcs.yaml",
    ),
    m("no datasets", DEFS, "  datasets:\n", "  §datsets:\n", "key 'datsets' is unknown", others=-1),
    m(
        "two producers",
        DEFS,
        "- name: pupils\n",
        "- name: schools\n      table: a.b\n    - name: §schools\n",
        "education.raw.schools has a second producer",
        others=-1,
    ),
    m(
        "output of silver",
        DEFS,
        "of: gold.pupils_by_school",
        "of: §silver.enrolments",
        "only gold datasets are served",
        "gold.pupils_by_school",
    ),
    m(
        "output of nothing",
        DEFS,
        "of: gold.pupils_by_school",
        "of: §gold.pupils_by_schol",
        "does not exist",
        "did you mean gold.pupils_by_school?",
    ),
    m("output of another domain", DEFS, "of: gold.pupils_by_school", "of: §data_office.gold.municipalities", "of another domain"),
    m("output kind", DEFS, "to: postgres", "to: §postgress", "to 'postgress' is unknown", "postgres, parquet, csv, xlsx"),
    m("output without contract", DEFS, "- name: pupils_by_school", "- name: §pupils", "education.output.pupils has no contract"),
    m("project elsewhere", DEFS, "project: transform", "project: §../other", "outside the domain's folder", others=-1),
    m("project missing", DEFS, "project: transform", "project: §transfrom", "does not exist", "did you mean transform?", others=-1),
    m(
        "submodule empty",
        DEFS,
        "project: transform",
        "project: §defs",
        "holds no dbt_project.yml",
        "git submodule update --init",
        others=-1,
    ),
    m(
        "command as one text",
        DEFS,
        "command: [python, scripts/geocode.py]",
        "command: §python scripts/geocode.py",
        "command must be a list",
    ),
    m(
        "reads an undeclared dataset",
        DEFS,
        "reads: [raw.schools, d",
        "reads: [§data_office.raw.municipalities, d",
        "does not declare it",
        "domains/education/domain.yaml",
    ),
    m(
        "reads a missing dataset",
        DEFS,
        "reads: [raw.schools",
        "reads: [§raw.scholls",
        "does not exist",
        "did you mean education.raw.schools?",
    ),
    m("writes another domain", DEFS, "[bronze.positions]", "[§data_office.bronze.positions]", "of another domain", "writes only its own"),
    m("writes raw", DEFS, "[bronze.positions]", "[§raw.positions]", "raw is only loaded"),
    m("file name", "domains/education/defs/more/defs.yml", None, "§type: x.y\n", "must be called defs.yaml"),
]

MODELS = [
    m(
        "undeclared source",
        SOURCES,
        "      - name: municipalities",
        "      - name: municipalities\n      - name: §postcodes",
        "education reads data_office.gold.postcodes",
        "domains/education/domain.yaml",
    ),
    m(
        "source of an unknown domain",
        SOURCES,
        "database: data_office",
        "database: §data_ofice",
        "database 'data_ofice' is no domain",
        "did you mean data_office?",
    ),
    m("source in no zone", SOURCES, "schema: gold", "schema: §golden", "zone 'golden'", "did you mean gold?"),
    m(
        "source of a missing raw dataset",
        SOURCES,
        "- name: schools",
        "- name: §schols",
        "reads education.raw.schols, which does not exist",
        "did you mean education.raw.schools?",
    ),
    m(
        "source named like a domain",
        SOURCES,
        "name: reference\n    database: data_office\n    schema: gold\n    tables:\n",
        "name: data_office\n    schema: gold\n    tables:\n      - name: §postcodes\n",
        "education reads data_office.gold.postcodes",
    ),
    m(
        "SQL past the sources",
        MODEL,
        "select 1 as one\n",
        "select 1 as one\njoin §data_office.gold.postcodes using (x)\n",
        "reads data_office.gold.postcodes of another domain",
    ),
    m(
        "model in no zone",
        "domains/education/transform/models/staging/x.sql",
        None,
        "§select 1\n",
        "'x' stands in the folder 'staging'",
        "bronze, silver, gold",
    ),
    m("model in raw", "domains/education/transform/models/raw/x.sql", None, "§select 1\n", "a transformation builds bronze, silver, gold"),
    m("model at the root", "domains/education/transform/models/x.sql", None, "§select 1\n", "stands in no folder"),
    m(
        "model name",
        "domains/education/transform/models/silver/My Model.sql",
        None,
        "§select 1\n",
        "dataset name 'My Model' is not allowed",
        "write my_model",
    ),
    m("model twice", "domains/education/transform/models/silver/pupils_by_school.sql", None, "§select 1\n", "exists twice"),
    m(
        "gold model without contract",
        "domains/education/transform/models/gold/ratio.sql",
        None,
        "§select 1\n",
        "education.gold.ratio has no contract",
        "contracts/ratio.odcs.yaml",
    ),
]

ASSET = "domains/education/defs/python/assets.py"
HEAD = "import dagster as dg\n\n\n"
PYTHON = [
    m(
        "gold asset without contract",
        ASSET,
        None,
        HEAD + '@dg.asset(key=§["education", "gold", "ratio"])\ndef ratio(): ...\n',
        "education.gold.ratio has no contract",
    ),
    m(
        "asset of another domain",
        ASSET,
        None,
        HEAD + '@dg.asset(key=§["data_office", "gold", "ratio"])\ndef ratio(): ...\n',
        "writes data_office.gold.ratio of another domain",
    ),
    m(
        "asset that writes raw",
        ASSET,
        None,
        HEAD + '@dg.asset(key=§dg.AssetKey(["education", "raw", "x"]))\ndef x(): ...\n',
        "raw is only loaded",
    ),
    m(
        "asset reads an undeclared dataset",
        ASSET,
        None,
        HEAD + '@dg.asset(key="education/silver/x", deps=[§["data_office", "gold", "postcodes"]])\ndef x(): ...\n',
        "reads data_office.gold.postcodes of another domain",
        "domains/education/domain.yaml",
    ),
    m(
        "asset made twice",
        ASSET,
        None,
        HEAD + '@dg.asset(key=§["education", "silver", "enrolments"])\ndef x(): ...\n',
        "education.silver.enrolments has a second producer",
    ),
]

ALL = [("federation", x) for x in FEDERATION] + [("yaml", x) for x in YAML] + [("domain", x) for x in DOMAIN]
ALL += [("contract", x) for x in CONTRACT] + [("component", x) for x in COMPONENTS] + [("model", x) for x in MODELS]
ALL += [("python", x) for x in PYTHON] + [("sign-in", x) for x in PROVIDERS]


def marked(files: dict[str, str]) -> tuple[tuple[str, int, int] | None, dict[str, str]]:
    """Return where § stands, and the files without it."""
    place = None
    for path, text in files.items():
        if "§" in text:
            before = text[: text.index("§")]
            place = (path, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
    return place, {path: text.replace("§", "") for path, text in files.items()}


@pytest.mark.parametrize(("mistake"), [pytest.param(x, id=f"{kind}: {x.name}") for kind, x in ALL])
def test_a_mistake_is_named_at_its_place(mistake, tmp_path, connectors):
    place, files = marked(mistake.files())

    with pytest.raises(Invalid) as caught:
        load_federation(write_federation(tmp_path, files), today=TODAY, connectors=connectors)

    found = [p for p in caught.value.problems if all(words in str(p) for words in mistake.says)]
    assert found, str(caught.value)
    assert all(problem.line and problem.column for problem in caught.value.problems)
    if place is not None:
        assert place in [(p.file, p.line, p.column) for p in found], str(caught.value)
    else:
        assert mistake.file in [p.file for p in found], str(caught.value)
    if mistake.others >= 0:
        assert len(caught.value.problems) == 1 + mistake.others, str(caught.value)


def test_there_are_many_seeded_mistakes():
    assert len(ALL) > 100
    assert len({(kind, x.name) for kind, x in ALL}) == len(ALL)
