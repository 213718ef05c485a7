-- Research projects as the service has them now. Who leads them stays behind in raw.
select
    project_id,
    trim(title) as title,
    trim(institution_id) as institution_id,
    lower(trim(study_domain)) as study_domain,
    budget_eur,
    begins_on,
    ends_on,
    trim(status) as status,
    updated_at
from {{ current_keys(source('raw', 'projects'), 'project_id') }}
