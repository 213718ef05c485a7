-- Both kinds of grants as one list.
select year, enterprise_number, nis_code, 'operating' as grant_kind, amount_eur from {{ ref('operating_grants') }}
union all
select year, enterprise_number, nis_code, 'project' as grant_kind, amount_eur from {{ ref('project_grants') }}
