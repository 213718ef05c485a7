select count(*) as schools, count(*) filter (pupils <> preschool + primary_school + special_preschool + special_primary_school) as wrong_totals
from {{ ref('flemish_schools_2012') }}
having schools <> 2554 or wrong_totals <> 0
