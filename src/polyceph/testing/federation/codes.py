"""The code lists that all domains share: code, French label, Dutch label.

What belongs here: a list whose codes stand in the data of a domain, so that `data_office` publishes it as rows of
`data_office.gold.codes(list, code, label_fr, label_nl)` and the domain's tests check against it. What does not: municipalities and
postcodes (`places`), countries (`domains.data_office_lists`), and a code that nobody else could want, which stays in its domain.

`LISTS["discipline"]` are the codes of a list in their order, `values("discipline")` only what stands in a column, `label("discipline",
"judo")` the French words. A code that somebody got wrong is planted by the domain that holds it and is in none of these lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """A code and what it is called in French and in Dutch."""

    code: str
    label_fr: str
    label_nl: str


def _codes(text: str) -> tuple[Code, ...]:
    return tuple(Code(*map(str.strip, line.split("|"))) for line in text.strip().splitlines())


LISTS: Mapping[str, tuple[Code, ...]] = {
    "school_network": _codes("""
        wbe          | Wallonie-Bruxelles Enseignement       | Onderwijs Wallonië-Brussel
        official     | Officiel subventionné                 | Officieel gesubsidieerd
        catholic     | Libre subventionné confessionnel      | Vrij gesubsidieerd confessioneel
        independent  | Libre subventionné non confessionnel  | Vrij gesubsidieerd niet-confessioneel
    """),
    "school_level": _codes("""
        nursery    | Maternel     | Kleuteronderwijs
        primary    | Primaire     | Lager onderwijs
        secondary  | Secondaire   | Secundair onderwijs
        special    | Spécialisé   | Buitengewoon onderwijs
    """),
    "grade": _codes("""
        M1 | 1re maternelle  | 1ste kleuterklas
        M2 | 2e maternelle   | 2de kleuterklas
        M3 | 3e maternelle   | 3de kleuterklas
        P1 | 1re primaire    | 1ste leerjaar
        P2 | 2e primaire     | 2de leerjaar
        P3 | 3e primaire     | 3de leerjaar
        P4 | 4e primaire     | 4de leerjaar
        P5 | 5e primaire     | 5de leerjaar
        P6 | 6e primaire     | 6de leerjaar
        S1 | 1re secondaire  | 1ste secundair
        S2 | 2e secondaire   | 2de secundair
        S3 | 3e secondaire   | 3de secundair
        S4 | 4e secondaire   | 4de secundair
        S5 | 5e secondaire   | 5de secundair
        S6 | 6e secondaire   | 6de secundair
        S7 | 7e secondaire   | 7de secundair
    """),
    "study_domain": _codes("""
        philosophy             | Philosophie                                   | Wijsbegeerte
        theology               | Théologie                                     | Godgeleerdheid
        languages              | Langues, lettres et traductologie             | Talen, letterkunde en vertaalkunde
        history_of_art         | Histoire, histoire de l'art et archéologie    | Geschiedenis, kunstgeschiedenis en archeologie
        communication          | Information et communication                  | Informatie en communicatie
        political_science      | Sciences politiques et sociales               | Politieke en sociale wetenschappen
        law                    | Sciences juridiques                           | Rechtswetenschappen
        criminology            | Criminologie                                  | Criminologie
        economics              | Sciences économiques et de gestion            | Economische wetenschappen en beheer
        psychology             | Sciences psychologiques et de l'éducation     | Psychologie en opvoedkunde
        medicine               | Sciences médicales                            | Geneeskunde
        veterinary             | Sciences vétérinaires                         | Diergeneeskunde
        dentistry              | Sciences dentaires                            | Tandheelkunde
        pharmacy               | Sciences biomédicales et pharmaceutiques      | Biomedische en farmaceutische wetenschappen
        public_health          | Sciences de la santé publique                 | Volksgezondheid
        movement               | Sciences de la motricité                      | Bewegingswetenschappen
        sciences               | Sciences                                      | Wetenschappen
        agronomy               | Sciences agronomiques et ingénierie biologique | Landbouwkunde en bio-ingenieurswetenschappen
        engineering            | Sciences de l'ingénieur et technologie        | Ingenieurswetenschappen en technologie
        architecture           | Art de bâtir et urbanisme                     | Bouwkunst en stedenbouw
        visual_arts            | Arts plastiques, visuels et de l'espace       | Beeldende en ruimtelijke kunsten
        music                  | Musique                                       | Muziek
        theatre                | Théâtre et arts de la parole                  | Toneel en woordkunst
        performing_arts        | Arts du spectacle et techniques de diffusion  | Podiumkunsten en uitzendtechnieken
        dance                  | Danse                                         | Dans
        nursing                | Soins infirmiers                              | Verpleegkunde
    """),
    "institution_type": _codes("""
        university        | Université                                      | Universiteit
        university_college | Haute école                                    | Hogeschool
        arts_college      | École supérieure des arts                       | Hogere kunstschool
        adult_education   | Établissement d'enseignement pour adultes       | Instelling voor volwassenenonderwijs
    """),
    "discipline": _codes("""
        athletics     | Athlétisme            | Atletiek
        badminton     | Badminton             | Badminton
        basketball    | Basket-ball           | Basketbal
        boxing        | Boxe                  | Boksen
        climbing      | Escalade              | Klimmen
        cycling       | Cyclisme              | Wielrennen
        equestrian    | Équitation            | Paardrijden
        fencing       | Escrime               | Schermen
        football      | Football              | Voetbal
        gymnastics    | Gymnastique           | Turnen
        handball      | Handball              | Handbal
        hockey        | Hockey                | Hockey
        judo          | Judo                  | Judo
        pelota        | Balle pelote          | Kaatsen
        rowing        | Aviron                | Roeien
        rugby         | Rugby                 | Rugby
        swimming      | Natation              | Zwemmen
        table_tennis  | Tennis de table       | Tafeltennis
        tennis        | Tennis                | Tennis
        volleyball    | Volley-ball           | Volleybal
    """),
    "heritage_kind": _codes("""
        monument       | Monument                 | Monument
        ensemble       | Ensemble architectural   | Stads- of dorpsgezicht
        landscape      | Site                     | Landschap
        archaeology    | Site archéologique       | Archeologische site
        movable        | Bien mobilier            | Roerend goed
        organ          | Orgue                    | Orgel
        remarkable_tree | Arbre remarquable       | Merkwaardige boom
    """),
    "care_measure": _codes("""
        guidance          | Accompagnement éducatif en famille    | Opvoedkundige begeleiding in het gezin
        day_support       | Accueil de jour                       | Dagopvang
        family_placement  | Hébergement en famille d'accueil      | Verblijf in een pleeggezin
        residential       | Hébergement en service résidentiel    | Verblijf in een residentiële dienst
        emergency         | Hébergement en urgence                | Noodopvang
        autonomy          | Mise en autonomie                     | Begeleid zelfstandig wonen
        public_institution | Éloignement en institution publique  | Plaatsing in een gemeenschapsinstelling
    """),
    "care_place": _codes("""
        home               | Famille d'origine                                    | Eigen gezin
        relatives          | Famille élargie                                      | Familie
        foster_family      | Famille d'accueil                                    | Pleeggezin
        residential_service | Service résidentiel général                         | Algemene residentiële dienst
        emergency_service  | Service résidentiel d'urgence                        | Residentiële crisisdienst
        public_institution | Institution publique de protection de la jeunesse    | Gemeenschapsinstelling voor jeugdzorg
        own_room           | Logement individuel                                  | Eigen kamer
    """),
    "library_kind": _codes("""
        local       | Bibliothèque locale          | Plaatselijke bibliotheek
        central     | Bibliothèque centrale        | Centrale bibliotheek
        itinerant   | Bibliothèque itinérante      | Rijdende bibliotheek
        special     | Bibliothèque spéciale        | Bijzondere bibliotheek
        school      | Bibliothèque scolaire        | Schoolbibliotheek
    """),
    "event_kind": _codes("""
        concert      | Concert          | Concert
        theatre      | Théâtre          | Toneel
        dance        | Danse            | Dans
        exhibition   | Exposition       | Tentoonstelling
        film         | Cinéma           | Film
        lecture      | Conférence       | Lezing
        workshop     | Atelier          | Workshop
        storytelling | Heure du conte   | Verteluur
        festival     | Festival         | Festival
    """),
}
"""By the name of the list, as in `data_office.gold.codes.list`."""


def values(name: str) -> tuple[str, ...]:
    """Return the codes of a list in its order."""
    return tuple(code.code for code in LISTS[name])


def label(name: str, code: str) -> str:
    """Return the French label of a code; raise `KeyError` when the list does not have it."""
    return {one.code: one.label_fr for one in LISTS[name]}[code]
