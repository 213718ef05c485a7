select there.*, expected.*
from (select change, count(*) as codes from {{ ref('municipality_changes') }} group by change) as there
full join (values ('vanished', 26), ('appeared', 18)) as expected (change, codes) using (change)
where there.codes is distinct from expected.codes
