-- The code lists that there are. Who keeps them is a name and stays behind in raw.
select trim(list) as list, trim(title_fr) as title_fr, trim(title_nl) as title_nl, codes
from {{ current_rows(source('raw', 'code_lists')) }}
